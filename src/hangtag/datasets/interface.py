"""The interface of catalogues, and parallel work on their photos, which stops at once on Ctrl-C."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, Protocol, Self, TypeVar

from hangtag.domain.interrupts import deferring_interrupts


class Catalogue(Protocol):
    """A table of products and their photos. Every method may be called from several threads."""

    @property
    def name(self) -> str:
        """The catalogue's name in reports."""
        ...

    def open_table(self) -> BinaryIO:
        """Open the product table: CSV whose header names the columns as `hangtag.domain.columns` does.

        The caller closes it. Raises `CatalogueError` if it cannot be read.
        """
        ...

    def photo_names(self) -> frozenset[str]:
        """Return the names of all photos, such as `15970.jpg`; `match_products` finds those of a product.

        Raises `CatalogueError` if there is no folder of photos.
        """
        ...

    def other_files(self) -> Mapping[str, int]:
        """Count the skipped files, which do not have a photo's extension, by extension."""
        ...

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo. Raises `PhotoError` (NOT_FOUND and others)."""
        ...

    def close(self) -> None:
        """Release open files."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def read_stated_source(catalogue: Catalogue) -> tuple[str, str]:
    """Return the licence of a catalogue's photos and whom to credit; empty if its mapping does not state them."""
    stated: tuple[str, str] = getattr(catalogue, "stated_source", ("", ""))
    return stated


def list_photo_folders(catalogue: Catalogue) -> Sequence[Path]:
    """Return the folders in which a catalogue looks for photos: none for one that is in a file."""
    found: Sequence[Path] = getattr(catalogue, "photo_folders", ())
    return found


class KeepsNothingOpen:
    """Defaults for a catalogue that keeps no file open and has only photos."""

    def other_files(self) -> Mapping[str, int]:
        """Return nothing."""
        return {}

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Result = TypeVar("Result")

PHOTOS_AT_ONCE: Final = 64
"""How many photos a thread takes at a time. Handing them out one by one costs more than the work."""

OnProgress = Callable[[int, int], None]
"""Called with the number of photos done and the total."""


def silent(_done: int, _total: int) -> None:
    """Show no progress."""


def for_each_photo(
    names: Iterable[str],
    work: Callable[[str], Result],
    on_progress: OnProgress = silent,
    threads: int | None = None,
) -> dict[str, Result]:
    """Return the result of `work` for each photo's name, sorted by name.

    `work` is called from several threads. After an exception in it, or Ctrl-C, no more blocks are started.
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
