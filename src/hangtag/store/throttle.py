"""Pauses in long computations on threads, so that the threads that answer requests get Python's lock."""

import time
from typing import Final

_STRETCH_S: Final = 0.003
_SHARE: Final = 2.0
"""How much longer than it computed a thread pauses."""


class Throttle:
    """Throttles a thread whose work consists of many small steps.

    Only processor time counts: waits for the disk, the database or another process need no pause.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Restart the clock: what was computed so far needs no pause."""
        self._began = time.thread_time()

    def pause(self) -> None:
        """Pause for twice the time that was computed, if that was a few milliseconds."""
        computed = time.thread_time() - self._began
        if computed >= _STRETCH_S:
            time.sleep(_SHARE * computed)
            self.restart()
