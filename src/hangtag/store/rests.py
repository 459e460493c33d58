"""Rests in long work on threads: what answers requests needs Python's lock many times, and must not wait each time."""

import time
from typing import Final

_STRETCH_S: Final = 0.003
_SHARE: Final = 2.0
"""How much longer than it computed a thread rests."""


class Rests:
    """The rests of a thread in work that is many small steps.

    What waits for the disk, the database or another process needs no rest: only processor time counts.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin to count anew: what was computed so far needs no rest."""
        self._began = time.thread_time()

    def take(self) -> None:
        """Rest for twice the time that was computed, if that was a few milliseconds."""
        computed = time.thread_time() - self._began
        if computed >= _STRETCH_S:
            time.sleep(_SHARE * computed)
            self.begin()
