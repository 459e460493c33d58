"""The interface of a catalogue, whatever its format on disk."""

from collections.abc import Mapping
from typing import BinaryIO, Protocol, Self


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
        """Return the bytes of one photo; raises `PhotoError` (NOT_FOUND and others)."""
        ...

    def close(self) -> None:
        """Release open files."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def read_stated_source(catalogue: Catalogue) -> tuple[str, str]:
    """Return the licence of a catalogue's photos and whom to credit; empty if its mapping does not state it."""
    stated: tuple[str, str] = getattr(catalogue, "stated_source", ("", ""))
    return stated


class KeepsNothingOpen:
    """Defaults for a catalogue that keeps no file open and has no other files than photos."""

    def other_files(self) -> Mapping[str, int]:
        """Return nothing."""
        return {}

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
