"""The progress of a training: a live bar on a terminal, lines in a log."""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_INTERVAL_S: Final = 30.0
"""The interval between lines in a log, which has no progress bar."""


class TrainingProgress:
    """A line per finished epoch, and a live bar meanwhile, or in a log a line every `LOG_INTERVAL_S`.

    Both show the epoch, step, images per second, loss and remaining time.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = self._last_line = clock()
        self._first_step = 0
        self._console = console or Console(file=sys.stderr)
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("step {task.fields[step]}/{task.fields[steps]}"),
            TextColumn("{task.fields[images_per_s]:.0f} images/s  loss {task.fields[loss]:.3f}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = TaskID(0)
        self._epoch = 0
        self._epochs = 0
        self._steps = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, finished_epochs: int, epochs: int, steps: int) -> None:
        """Begin at `finished_epochs` of `epochs`, with `steps` each."""
        self._epoch, self._epochs, self._steps = finished_epochs, epochs, steps
        self._first_step = finished_epochs * steps
        self._started = self._last_line = self._clock()
        self._task = self._bar.add_task(
            "training",
            total=epochs * steps,
            completed=finished_epochs * steps,
            epoch=finished_epochs + 1,
            epochs=epochs,
            step=0,
            steps=steps,
            images_per_s=0.0,
            loss=0.0,
        )

    def finish_step(self, step: int, images_per_s: float, loss: float) -> None:
        """Show one more step; `loss` is that of its batch."""
        completed = self._epoch * self._steps + step
        self._bar.update(self._task, completed=completed, step=step, images_per_s=images_per_s, loss=loss)
        now = self._clock()
        if self._console.is_terminal or now - self._last_line < LOG_INTERVAL_S:
            return
        self._last_line = now
        seconds_a_step = (now - self._started) / max(1, completed - self._first_step)
        left = timedelta(seconds=round(seconds_a_step * (self._epochs * self._steps - completed)))
        self._print(
            f"epoch {self._epoch + 1}/{self._epochs}  step {step}/{self._steps}  "
            f"{images_per_s:.0f} images/s  loss {loss:.3f}  {left} left"
        )

    def finish_epoch(self, figures: dict[str, float]) -> None:
        """Print the epoch's figures and begin the next one."""
        self._epoch = int(figures["epoch"])
        self._bar.update(self._task, epoch=min(self._epoch + 1, self._epochs))
        self._last_line = self._clock()
        self._print(
            f"epoch {self._epoch}/{self._epochs}  "
            f"loss {figures['train_loss']:.4f} train, {figures['validation_loss']:.4f} validation  "
            f"top-1 {figures['train_top1_accuracy']:.2%} train, {figures['validation_top1_accuracy']:.2%} validation  "
            f"{figures['images_per_s']:.0f} images/s  {figures['seconds']:.0f} s"
        )

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a remark on standard error, unwrapped so that a log keeps it whole."""
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)
