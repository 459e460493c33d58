"""The photos of a job that already have rows, as 8 bytes and a small count each, however long their names are."""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import repeat
from typing import Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from hangtag.labelling.inputs.photo import Extra
from hangtag.tables.cells import Cell, Kind, as_kind

_KEY: Final = np.dtype("<u8")
"""With 10 million photos finished and as many to come, the chance that two share a key, so that one would be skipped,
is 1 in 180,000."""

_LINE: Final = re.compile(r":\d+\Z")
"""The line number in the name of a row without a photo, after the table's name. It changes if the table grows."""

Keys = npt.NDArray[np.uint64]

GivenColumns = Sequence[tuple[str, Kind]]
"""The columns that came with the photos, with their kinds, as in a `Layout`."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def extra(self) -> Extra: ...


Photo = TypeVar("Photo", bound=_Named)


def keys_of(names: Iterable[str], given: Iterable[tuple[Cell, ...]] = repeat(())) -> Keys:
    """Return the keys of photos, uint64: the 8-byte BLAKE2b hash, the same on every machine.

    A photo from a table is identified by its name and the other values of its row, since two products may share one
    photo. `given` holds the values that came with each photo, in column order.
    """
    return np.frombuffer(b"".join(map(_hash, names, given)), _KEY)


class FinishedPhotos:
    """The finished photos as a sorted array of keys, with how often each was finished.

    A key may occur several times, for example if a table repeats a row; each occurrence counts as a photo. `keys` is
    sorted in place. `given` are the columns whose values are part of the keys.
    """

    def __init__(self, keys: Keys, given: GivenColumns = ()) -> None:
        self._keys, self._left = _count(keys)
        self._given = given
        self.photos = len(keys)

    def iter_unfinished(self, photos: Iterable[Photo]) -> Iterator[Photo]:
        """Yield the photos that are not finished, in their order, whatever order they were finished in."""
        if not self.photos:
            yield from photos
            return
        left = self._left.copy()
        for photo in photos:
            key = np.frombuffer(_hash(photo.name, self._values(photo)), _KEY)[0]
            position = int(self._keys.searchsorted(key))
            if position < len(left) and self._keys[position] == key and left[position]:
                left[position] -= 1
            else:
                yield photo

    def _values(self, photo: _Named) -> tuple[Cell, ...]:
        """Return the values that came with a photo as they would be read back from a job's rows."""
        extra = photo.extra if self._given else {}
        return tuple(as_kind(extra.get(name), kind) for name, kind in self._given)


def _hash(name: str, given: tuple[Cell, ...]) -> bytes:
    if any(cell is not None for cell in given):
        name = f"{_LINE.sub('', name)}\0{given!a}"  # not !r, whose output depends on Python's version
    return blake2b(name.encode("utf-8"), digest_size=_KEY.itemsize).digest()


def _count(keys: Keys) -> tuple[Keys, npt.NDArray[np.unsignedinteger]]:
    """Return the sorted keys without repetitions, and how often each occurs."""
    keys.sort()
    if not (keys[1:] == keys[:-1]).any():  # the common case, without a second array of keys
        return keys, np.ones(len(keys), np.uint8)
    unique, counts = np.unique(keys, return_counts=True)
    return unique, counts.astype(np.min_scalar_type(int(counts.max())))
