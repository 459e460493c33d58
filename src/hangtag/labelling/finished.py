"""Which photos of a job have their rows already: 8 bytes and a small count for each name, however long it is."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

_KEY: Final = np.dtype("<u8")
"""With 10 million photos finished and as many to come, the chance that one of these has the key of one of those, and
would be left out, is 1 in 180,000."""

Keys = npt.NDArray[np.uint64]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Photo = TypeVar("Photo", bound=_Named)


def keys_of(names: Iterable[str]) -> Keys:
    """Return the keys of names, uint64: the BLAKE2b hash of 8 bytes, the same on every machine."""
    return np.frombuffer(b"".join(map(_hash, names)), _KEY)


class FinishedPhotos:
    """The finished photos as a sorted array of keys and how often each name was finished.

    A name may come several times, as in a table that lists a photo for two products: each time is a photo of its own.
    `keys` is sorted in place.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys, self._left = _count(keys)
        self.photos = len(keys)

    def iter_unfinished(self, photos: Iterable[Photo]) -> Iterator[Photo]:
        """Yield the photos that are not finished, in their order, whatever order they were finished in."""
        if not self.photos:
            yield from photos
            return
        left = self._left.copy()
        for photo in photos:
            key = np.frombuffer(_hash(photo.name), _KEY)[0]
            position = int(self._keys.searchsorted(key))
            if position < len(left) and self._keys[position] == key and left[position]:
                left[position] -= 1
            else:
                yield photo


def _hash(name: str) -> bytes:
    return blake2b(name.encode("utf-8"), digest_size=_KEY.itemsize).digest()


def _count(keys: Keys) -> tuple[Keys, npt.NDArray[np.unsignedinteger]]:
    """Return the sorted keys without repetitions, and how often each one is there."""
    keys.sort()
    if not (keys[1:] == keys[:-1]).any():  # the usual case, without a second array of keys
        return keys, np.ones(len(keys), np.uint8)
    unique, counts = np.unique(keys, return_counts=True)
    return unique, counts.astype(np.min_scalar_type(int(counts.max())))
