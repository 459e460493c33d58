"""The photos of a job that already have rows: 8 bytes and a small count for each, however long its name is."""

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
"""With 10 million photos finished and as many to come, the chance that one of these has the key of one of those, and
would be left out, is 1 in 180,000."""

_LINE: Final = re.compile(r":\d+\Z")
"""Behind its table's name, what a row that names no photo is called by; it changes when the table grows."""

Keys = npt.NDArray[np.uint64]

GivenColumns = Sequence[tuple[str, Kind]]
"""The columns that came with the photos, and their kinds, as a `Layout` has them."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def extra(self) -> Extra: ...


Photo = TypeVar("Photo", bound=_Named)


def keys_of(names: Iterable[str], given: Iterable[tuple[Cell, ...]] = repeat(())) -> Keys:
    """Return the keys of photos, uint64: the BLAKE2b hash of 8 bytes, the same on every machine.

    A photo that a table names is known by its name and by what else its row says: two products may show one photo. It
    is `given` as the values that came with each photo, in the order of their columns.
    """
    return np.frombuffer(b"".join(map(_hash, names, given)), _KEY)


class FinishedPhotos:
    """The finished photos as a sorted array of keys and how often each one was finished.

    A key may come several times, as with a table that has a row twice: each time is a photo of its own. `keys` is
    sorted in place; `given` are the columns whose values are in them.
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
        """Return what came with a photo, as it comes back from the rows of a job."""
        extra = photo.extra if self._given else {}
        return tuple(as_kind(extra.get(name), kind) for name, kind in self._given)


def _hash(name: str, given: tuple[Cell, ...]) -> bytes:
    if any(cell is not None for cell in given):
        name = f"{_LINE.sub('', name)}\0{given!a}"  # not !r, which every version of Python prints its way
    return blake2b(name.encode("utf-8"), digest_size=_KEY.itemsize).digest()


def _count(keys: Keys) -> tuple[Keys, npt.NDArray[np.unsignedinteger]]:
    """Return the sorted keys without repetitions, and how often each one is there."""
    keys.sort()
    if not (keys[1:] == keys[:-1]).any():  # the usual case, without a second array of keys
        return keys, np.ones(len(keys), np.uint8)
    unique, counts = np.unique(keys, return_counts=True)
    return unique, counts.astype(np.min_scalar_type(int(counts.max())))
