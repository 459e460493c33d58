"""The progress bar of a run, with images per second and the time left."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from hangtag.labelling.run import OnProgress
from hangtag.labelling.terminal import render_share


@contextlib.contextmanager
def show_progress(
    console: Console, count: Callable[[], int | None], finished: int = 0
) -> Iterator[OnProgress]:
    """Show a bar while the block runs, and give it the function to call with the photos just done.

    `finished` photos were done before. `count` is called during the work, so the time left appears as soon as the
    number of photos is known.
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
    """The speed over the last while."""

    def render(self, task: Task) -> Text:
        """Return the speed as text."""
        return Text("" if task.speed is None else f"{task.speed:,.0f} images/s", style="dim")


class _ShareFailed(ProgressColumn):
    """How many of the photos of this run failed."""

    def render(self, task: Task) -> Text:
        """Return the share as text."""
        return Text(render_share(task.fields["failed"], task.fields["done"]), style="red")
