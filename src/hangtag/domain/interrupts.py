"""Ctrl-C between two steps of work, not in the middle of a step.

Python may raise `KeyboardInterrupt` after any instruction, even inside `concurrent.futures` between acquiring a lock
and recording that. The lock is then never released, and the next thread that needs it waits forever.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _do_nothing() -> None:
    pass


@contextmanager
def deferring_interrupts(on_interrupt: Callable[[], None] = _do_nothing) -> Iterator[Callable[[], None]]:
    """Defer the first Ctrl-C while the block runs; a second one interrupts at once.

    The block receives a function to call wherever it can be interrupted. That function raises the deferred
    `KeyboardInterrupt`, and so does the end of the block unless the block failed. `on_interrupt` is called when Ctrl-C
    arrives; it must not acquire a lock. Nothing is deferred outside the main thread, or where Ctrl-C is ignored.
    """
    deferred: list[int] = []

    def defer(number: int, _frame: object) -> None:
        if deferred:
            raise KeyboardInterrupt
        deferred.append(number)
        on_interrupt()

    def raise_deferred() -> None:
        if deferred:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread() or _is_ignored():
        yield raise_deferred
        return
    before = signal.signal(signal.SIGINT, defer)
    try:
        yield raise_deferred
    finally:
        signal.signal(signal.SIGINT, before)
    raise_deferred()


def _is_ignored() -> bool:
    """Return whether this process was started to ignore Ctrl-C, as a shell does for background jobs."""
    return signal.getsignal(signal.SIGINT) in {signal.SIG_IGN, None}
