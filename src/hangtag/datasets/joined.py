"""Several catalogues behind one door, so that a split table may draw on the photos of all of them."""

from collections import Counter
from collections.abc import Mapping
from typing import BinaryIO, Final, Self

from hangtag.datasets.interface import Catalogue

JOINT: Final = ":"
"""Stands between the name that another catalogue was joined under and the name of its photo."""


class JoinedCatalogue:
    """A main catalogue and others, each joined under a name: the photo `7.jpg` of `custom` is `custom:7.jpg`.

    Since a photo's name without its ending is a product's id, the others' products are `custom:7` likewise. The
    table is the main catalogue's: the others' products come with a split table that names them so. Closing closes
    all of them.
    """

    def __init__(self, main: Catalogue, others: Mapping[str, Catalogue]) -> None:
        self._main = main
        self._others = dict(others)

    @property
    def name(self) -> str:
        """The names of all, the main one first."""
        return " + ".join([self._main.name, *(other.name for other in self._others.values())])

    def open_table(self) -> BinaryIO:
        """Open the main catalogue's table."""
        return self._main.open_table()

    def photo_names(self) -> frozenset[str]:
        """Return the names of all photos, those of the others with their catalogue's name in front."""
        return self._main.photo_names().union(
            joined_name(key, photo) for key, other in self._others.items() for photo in other.photo_names()
        )

    def other_files(self) -> Mapping[str, int]:
        """Count the files that are passed over, those of all catalogues, by their ending."""
        counts: Counter[str] = Counter()
        for catalogue in (self._main, *self._others.values()):
            counts.update(catalogue.other_files())
        return counts

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo, from the catalogue that its name speaks of; raises `PhotoError`."""
        key, joint, photo = name.partition(JOINT)
        if joint and key in self._others:
            return self._others[key].read_photo(photo)
        return self._main.read_photo(name)

    def close(self) -> None:
        """Close all catalogues."""
        for catalogue in (self._main, *self._others.values()):
            catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def joined_name(key: str, name: str) -> str:
    """Return what a photo, or a product's id, of the catalogue joined as `key` is called."""
    return f"{key}{JOINT}{name}"
