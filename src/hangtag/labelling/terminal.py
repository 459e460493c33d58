"""The terminal output of a run: progress lines, a table of the first photos, and the summary.

The library of the progress bar is imported on use, since that takes longer than labelling a photo.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from hangtag.domain.columns import (
    ANSWER_LEVEL,
    CATEGORY_COLUMNS,
    FAILED,
    FLAGS,
    MODEL,
    PATH,
    REASON,
    STATUS,
    confidence_of,
)
from hangtag.domain.reasons import Reason
from hangtag.domain.taxonomy import format_path
from hangtag.domain.text import printable, render_count
from hangtag.labelling.outputs import Layout
from hangtag.labelling.run import BANDS, OnProgress, Summary
from hangtag.tables.cells import Cell
from hangtag.tables.writing import Rows, join_names

SHOWN_ROWS: Final = 100
"""How many rows are shown. Longer tables belong in a file, and memory stays bounded."""

SHOWN_CATEGORIES: Final = 12

_WIDE: Final = 110
"""From this terminal width on, each attribute has its own column."""

_DOUBTFUL: Final = 0.5
"""Below this confidence the label may well be wrong. It is shown in another colour."""

_HEADINGS: Final = {"baseColour": "colour"}


class TerminalTable:
    """Keeps the first rows and prints them as a table at the end; a `TableWriter`."""

    def __init__(self, console: Console, layout: Layout, rows: int = SHOWN_ROWS) -> None:
        self._console = console
        self._layout = layout
        answered = [column for column in layout.label_columns if column in layout.answered]
        self._attributes = [column for column in answered if column not in CATEGORY_COLUMNS]
        self._has_path = len(self._attributes) < len(answered)
        self._is_wide = console.width >= _WIDE
        self._limit = rows
        self._kept: list[dict[str, Cell]] = []
        self._seen = 0

    def write(self, rows: Rows) -> None:
        """Keep the first rows, and count all of them."""
        self._seen += len(rows[PATH])
        for position in range(min(len(rows[PATH]), self._limit - len(self._kept))):
            self._kept.append({name: column[position] for name, column in rows.items()})

    def finish(self) -> None:
        """Print the table."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for heading in self._headings():
            table.add_column(heading, overflow="fold")
        for row in self._kept:
            table.add_row(*self._cells(row))
        self._console.print(table)
        if self._seen > len(self._kept):
            hidden = self._seen - len(self._kept)
            self._console.print(
                f"… and {hidden:,} more: write them to a table with --output FILE", style="dim"
            )

    def discard(self) -> None:
        """Print nothing."""

    def _headings(self) -> Iterator[str]:
        yield "photo"
        if self._layout.compares_models:
            yield "model"
        if not self._is_wide:
            yield "label"
            return
        if self._has_path:
            yield "category"
        yield from (_HEADINGS.get(column, column) for column in self._attributes)

    def _cells(self, row: dict[str, Cell]) -> Iterator[Text]:
        yield Text(printable(str(row[PATH])))
        if self._layout.compares_models:
            yield Text(printable(str(row[MODEL])), style="dim")
        if row[STATUS] == FAILED:
            yield Text(Reason(str(row[REASON])).explanation, style="red")
            return
        category = [_render_category(row)] if self._has_path else []
        flags = [_render_flags(row)] if row[FLAGS] else []
        attributes = [_render_label(row[column], row[confidence_of(column)]) for column in self._attributes]
        if self._is_wide:
            first, *others = category + attributes
            yield from (Text("\n").join([first, *flags]), *others)
        else:
            yield Text("\n").join([*category, Text(" · ", style="dim").join(attributes), *flags])


def print_summary(
    console: Console, summary: Summary, damage: Sequence[str] = (), notes: Sequence[str] = ()
) -> None:
    """Print how many photos were labelled, how fast, why others were not, and the labels.

    `damage` lists inputs that could not be read to their end, `notes` are remarks on how tables were read.
    """
    console.print(_headline(summary))
    for reason, count in summary.reasons.most_common():
        console.print(f"  {count:,} × {reason.value}: {reason.explanation}", style="red", highlight=False)
    for detail in damage:
        console.print(Text(printable(f"  {detail}"), style="red"))
    for note in notes:
        console.print(Text(printable(f"  {note}"), style="dim"), soft_wrap=True)
    if summary.other_files:
        skipped = render_count(summary.other_files, "file", "files")
        console.print(f"  {skipped} without a photo's extension skipped", style="dim")
    for name, counts in summary.categories.items():
        model = f"{name}: " if len(summary.categories) > 1 else ""
        shown = [f"{label} {count:,}" for label, count in counts.most_common(SHOWN_CATEGORIES)]
        others = [f"{len(counts) - len(shown)} others"] if len(counts) > len(shown) else []
        if shown:
            console.print(Text(printable(f"  {model}{', '.join(shown + others)}")))
        if any(summary.bands[name]):  # empty if only another model predicts the column
            console.print(Text(printable(f"  {model}{_render_bands(summary, name)}"), style="dim"))
        if (
            set(summary.answers[name]) - {summary.deepest_column}
            and summary.deepest_column in CATEGORY_COLUMNS
        ):
            console.print(Text(f"  {printable(model)}{_render_answers(summary, name)}", style="dim"))
        for flag, count in summary.flags[name].most_common():
            console.print(
                Text(f"  {printable(model)}{count:,} × {flag.value}: {flag.explanation}", style="yellow")
            )


def _render_bands(summary: Summary, model: str) -> str:
    counts = list(zip(BANDS, summary.bands[model], strict=True))[::-1]
    shown = [f"{count:,} {f'from {low:.0%}' if low else 'under that'}" for low, count in counts]
    return f"confidence in {summary.deepest_column}: {', '.join(shown)}"


def _render_answers(summary: Summary, model: str) -> str:
    counts = summary.answers[model]
    levels = [*reversed(CATEGORY_COLUMNS), None]
    shown = [
        f"{counts[level]:,} {f'to {level}' if level else 'not at all'}" for level in levels if counts[level]
    ]
    return f"confident of the category: {', '.join(shown)}"


def _headline(summary: Summary) -> Text:
    failed = f", {summary.failed:,} not" if summary.failed else ""
    failed += f", {summary.photos_before:,} of them earlier" if summary.photos_before else ""
    speed = f"{summary.seconds:.1f} s, {summary.images_per_second:,.0f} images/s"
    return Text(
        f"{summary.labelled:,} of {render_count(summary.photos, 'photo', 'photos')} labelled{failed} ({speed})",
        style="bold",
    )


def _render_category(row: dict[str, Cell]) -> Text:
    """Return the category path. The part that the model is not confident of is set apart.

    The percentage is that of the least certain level: a path is right at most as often as each of its labels.
    """
    levels = [column for column in CATEGORY_COLUMNS if row.get(column) is not None]
    if not levels:
        return Text("–", style="dim")
    depth = levels.index(str(row[ANSWER_LEVEL])) + 1 if row[ANSWER_LEVEL] else 0
    labels = [str(row[column]) for column in levels]
    text = Text(printable(format_path(labels[:depth])))
    if depth < len(levels):
        text.append(f"{' · ' if depth else ''}not sure: ", style="yellow")
        text.append(printable(format_path(labels[depth:])), style="dim")
    confidences = [cell for level in levels if isinstance(cell := row[confidence_of(level)], float)]
    return text.append(_render_confidence(min(confidences))) if confidences else text


def _render_flags(row: dict[str, Cell]) -> Text:
    return Text(f"⚑ {join_names(row[FLAGS]).replace(';', ', ').replace('_', ' ')}", style="yellow")


def _render_label(label: Cell, confidence: Cell) -> Text:
    if not isinstance(label, str) or not isinstance(confidence, float):
        return Text("–", style="dim")
    return Text(printable(label)).append(_render_confidence(confidence))


def _render_confidence(confidence: float) -> Text:
    return Text(f" {confidence:.0%}", style="yellow" if confidence < _DOUBTFUL else "dim")


SECONDS_A_LINE: Final = 60.0


class ProgressLines:
    """Prints occasional lines: photos so far, images per second since the last line, and the share that failed."""

    def __init__(
        self, console: Console, finished: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._finished = finished
        self._done = self._failed = self._since_line = 0
        self._line_at = clock()

    def __call__(self, done: int, failed: int) -> None:
        """Count the photos just done, and how many of them failed."""
        self._done += done
        self._failed += failed
        self._since_line += done
        elapsed = self._clock() - self._line_at
        if elapsed >= SECONDS_A_LINE:
            speed = f"{self._since_line / elapsed:,.0f} images/s"
            share = render_share(self._failed, self._done)
            self._console.print(f"{self._finished + self._done:,} photos, {speed}{share and f', {share}'}")
            self._since_line = 0
            self._line_at = self._clock()


def render_share(failed: int, done: int) -> str:
    """Return `0.25% failed`, or an empty string if nothing failed."""
    return f"{failed / done:.2%} failed" if failed else ""


@contextlib.contextmanager
def show_progress(
    console: Console, count: Callable[[], int | None], finished: int = 0
) -> Iterator[OnProgress]:
    """Show a progress bar during the block. Yields the function to call with the photos just done.

    `finished` photos were done before. `count` is called during the work, so the remaining time appears as soon as
    the number of photos is known.
    """
    columns = (BarColumn(), MofNCompleteColumn(), _ImagesPerSecond(), _ShareFailed(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("photos", total=None, completed=finished, failed=0, done=0)
        counting = threading.Thread(
            target=lambda: progress.update(task, total=count()), name="count", daemon=True
        )
        counting.start()
        total_failed = total_done = 0

        def on_progress(done: int, failed: int) -> None:
            nonlocal total_failed, total_done
            total_failed += failed
            total_done += done
            progress.update(task, advance=done, failed=total_failed, done=total_done)

        yield on_progress


class _ImagesPerSecond(ProgressColumn):
    """The recent speed."""

    def render(self, task: Task) -> Text:
        """Return the speed as text."""
        return Text("" if task.speed is None else f"{task.speed:,.0f} images/s", style="dim")


class _ShareFailed(ProgressColumn):
    """The share of this run's photos that failed."""

    def render(self, task: Task) -> Text:
        """Return the share as text."""
        return Text(render_share(task.fields["failed"], task.fields["done"]), style="red")
