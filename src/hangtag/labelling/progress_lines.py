"""How far a run is, as a line now and then: for logs, and without what a bar would have to import."""

import time
from collections.abc import Callable
from typing import Final

from rich.console import Console

SECONDS_A_LINE: Final = 60.0


class ProgressLines:
    """Prints a line now and then: photos so far, images a second since the last line, the share that failed."""

    def __init__(
        self, console: Console, finished: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._finished = finished
        self._done = self._failed = self._since_line = 0
        self._line_at = clock()

    def __call__(self, done: int, failed: int) -> None:
        """Count photos just done, and those of them that failed."""
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
    """Return `0.25% failed`, or nothing where nothing has."""
    return f"{failed / done:.2%} failed" if failed else ""
