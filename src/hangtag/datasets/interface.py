"""What a catalogue is to every command, however it lies on disk."""

from collections.abc import Mapping
from typing import BinaryIO, Protocol, Self


class Catalogue(Protocol):
    """A table of products and their photos. Every method may be called from several threads."""

    @property
    def name(self) -> str:
        """What a report calls this catalogue."""
        ...

    def open_table(self) -> BinaryIO:
        """Open the product table: CSV whose header names the columns as `hangtag.domain.columns` does.

        The caller closes it. Raises `CatalogueError` when it cannot be read.
        """
        ...

    def photo_names(self) -> frozenset[str]:
        """Return the names of all photos, such as `15970.jpg`; `match_products` finds those of a product.

        Raises `CatalogueError` when there is no folder of photos.
        """
        ...

    def other_files(self) -> Mapping[str, int]:
        """Count the files that are passed over, since they do not end like a photo, by their ending."""
        ...

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo; raises `PhotoError` (NOT_FOUND and others)."""
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def read_stated_source(catalogue: Catalogue) -> tuple[str, str]:
    """Return the licence of a catalogue's photos and whom to credit; empty where its mapping does not state it."""
    stated: tuple[str, str] = getattr(catalogue, "stated_source", ("", ""))
    return stated


class KeepsNothingOpen:
    """The part of a catalogue that has no file to let go of, and no files but photos."""

    def other_files(self) -> Mapping[str, int]:
        """Return nothing."""
        return {}

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
