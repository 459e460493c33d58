"""How far a run is: a bar with images a second and the time left, where a person can see it."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from hangtag.labelling.inputs import count_photos


@contextlib.contextmanager
def show_progress(inputs: Sequence[Path], console: Console) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs, and give it the function to call with the number of photos just done.

    The photos are counted beside the work, so the time left appears as soon as their number is known.
    """
    columns = (BarColumn(), MofNCompleteColumn(), _ImagesPerSecond(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("photos", total=None)
        counting = threading.Thread(
            target=lambda: progress.update(task, total=count_photos(inputs)), name="count", daemon=True
        )
        counting.start()
        yield lambda done: progress.advance(task, done)


class _ImagesPerSecond(ProgressColumn):
    """The speed over the last while."""

    def render(self, task: Task) -> Text:
        """Return the speed as text."""
        return Text("" if task.speed is None else f"{task.speed:,.0f} images/s", style="dim")
