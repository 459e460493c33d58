"""Work on many photos in several threads, with progress, stopping at once on Ctrl-C."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from hangtag.domain.interrupts import deferring_interrupts

Result = TypeVar("Result")

PHOTOS_AT_ONCE: Final = 64
"""How many photos a thread takes at a time; one by one, distributing them costs more than the work."""

OnProgress = Callable[[int, int], None]
"""Called with the photos done and the photos in all."""


def silent(_done: int, _total: int) -> None:
    """Show no progress."""


def for_each_photo(
    names: Iterable[str],
    work: Callable[[str], Result],
    on_progress: OnProgress = silent,
    threads: int | None = None,
) -> dict[str, Result]:
    """Return the result of `work` for each photo's name, sorted by name.

    `work` is called from several threads. After an exception of its own, or Ctrl-C, no more blocks are begun.
    """
    todo = sorted(names)
    blocks = [todo[start : start + PHOTOS_AT_ONCE] for start in range(0, len(todo), PHOTOS_AT_ONCE)]
    results: dict[str, Result] = {}

    def work_on(block: Sequence[str]) -> dict[str, Result]:
        return {name: work(name) for name in block}

    with deferring_interrupts() as let_through, ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        try:
            for done in pool.map(work_on, blocks):
                let_through()
                results.update(done)
                on_progress(len(results), len(todo))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results
