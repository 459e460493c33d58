"""What commands print to: tables on standard output, progress on standard error."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from hangtag.domain.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_ENDLESS: Final = 10_000
"""The width of a file or a pipe: nothing is cut or wrapped there."""


class WholeConsole(Console):
    """A console that never cuts a number. A table that is too wide for the terminal is wrapped by it."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - Rich's own signature
        """Print. A table is at least as wide as its `no_wrap` columns need."""
        needed = max((self._least_width(table) for table in objects if isinstance(table, Table)), default=0)
        if needed <= self.width:
            super().print(*objects, **options)
            return
        width, self._width = self._width, needed
        try:
            super().print(*objects, **{"crop": False} | options)
        finally:
            self._width = width

    def _least_width(self, table: Table) -> int:
        endless = self.options.update(max_width=_ENDLESS)
        for column in table.columns:
            if column.no_wrap:
                cells = [column.header, *column.cells]
                column.min_width = max(Measurement.get(self, endless, cell).maximum for cell in cells)
        return Measurement.get(self, endless, table).minimum


def open_console() -> Console:
    """Return the console of standard output. In a file or a pipe, lines are as long as their content."""
    return WholeConsole(highlight=False, width=None if sys.stdout.isatty() else _ENDLESS)


class TerminalProgress:
    """A pipeline's `Progress` on standard error: its lines, and on a terminal its bars."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove the bars, so that a person can be asked something."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(printable(text))

    def advance(self, task: str, done: int, total: int | None) -> None:
        """Move the bar of a task, which is added if it is new. Print nothing unless this is a terminal."""
        if not self._console.is_terminal:
            return
        if self._bars is None:
            self._bars = _open_bars(self._console)
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(printable(task), total=total)
        self._bars.update(self._tasks[task], completed=done, total=total)


def _open_bars(console: Console) -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    bars.start()
    return bars
