"""Ctrl-C ends work where it can be ended: between two steps, not anywhere inside one.

Python raises `KeyboardInterrupt` after any instruction, also inside `concurrent.futures` between taking a lock and
knowing that it is taken. The lock is then never given back, and whoever needs it next waits for ever.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _do_nothing() -> None:
    pass


@contextmanager
def holding_back_interrupts(on_interrupt: Callable[[], None] = _do_nothing) -> Iterator[Callable[[], None]]:
    """Hold back the first Ctrl-C while the block runs; the second comes through at once.

    The block is given the function to call where it may end: it raises the `KeyboardInterrupt` that was held back. So
    does the end of the block, unless that has failed. `on_interrupt` is called when Ctrl-C comes; it must take no lock.
    Nothing is held back where none comes: in other threads than the main one, and where Ctrl-C is ignored.
    """
    held: list[int] = []

    def hold(number: int, _frame: object) -> None:
        if held:
            raise KeyboardInterrupt
        held.append(number)
        on_interrupt()

    def let_through() -> None:
        if held:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread() or _is_ignored():
        yield let_through
        return
    before = signal.signal(signal.SIGINT, hold)
    try:
        yield let_through
    finally:
        signal.signal(signal.SIGINT, before)
    let_through()


def _is_ignored() -> bool:
    """Say whether whoever started this process wants Ctrl-C to pass it by, as a shell does in the background."""
    return signal.getsignal(signal.SIGINT) in {signal.SIG_IGN, None}
