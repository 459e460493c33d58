"""Sending photos to other machines: by name if possible, and otherwise as bytes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.labelling.inputs.archived import TarPhoto, ZipPhoto
from hangtag.labelling.inputs.photo import Extra, FaultyPhoto, InputPhoto, PhotoFile, no_extra
from hangtag.labelling.inputs.prefetch import FarPhoto
from hangtag.labelling.inputs.reference import References

CHUNK_BYTES: Final = 16 * 1024 * 1024
"""With so many bytes of photos a chunk is full, too; those that go by their names have none."""

_HIDDEN_THERE: Final = frozenset({Reason.NOT_FOUND, Reason.UNREADABLE})
"""The reasons of a file that one machine has and another has not."""


@dataclass(frozen=True, slots=True)
class HandedPhoto:
    """A photo as it travels: its name, and its file or archive, its address, or its bytes."""

    name: str
    source: PhotoFile | ZipPhoto | TarPhoto | str | bytes

    @property
    def extra(self) -> Extra:
        """Nothing: what a row carries along stays where the rows are written."""
        return no_extra()

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes; raises `PhotoError` with the reason why they cannot be had."""
        if isinstance(self.source, bytes):
            return self.source
        if isinstance(self.source, str):
            raise PhotoError(Reason.UNREADABLE, "an address is fetched by `receive`")
        return self.source.read(limits)

    def is_hidden_there(self, reason: Reason | None) -> bool:
        """Return whether this machine can read what another one could not, for the reason that it gives."""
        if reason not in _HIDDEN_THERE or isinstance(self.source, str | bytes):
            return False
        try:
            self.read()
        except PhotoError:
            return False
        return True


@dataclass(slots=True, eq=False)
class Chunk:
    """Photos that go to one worker together, what their rows carry, and how often a worker was lost with them."""

    photos: tuple[HandedPhoto, ...]
    extra: tuple[Extra, ...]
    losses: int = field(default=0, init=False)


def hand_over(photo: InputPhoto) -> HandedPhoto:
    """Return a photo as it can be sent. Paths become absolute, since another process may stand in another folder."""
    name = photo.name
    if isinstance(photo, FarPhoto):
        return HandedPhoto(name, photo.photo.url)
    if isinstance(photo, PhotoFile):
        return HandedPhoto(name, PhotoFile(_absolute(photo.path), photo.fault, extra={}))
    if isinstance(photo, FaultyPhoto):
        return HandedPhoto(name, PhotoFile(photo.path, photo.error.reason, extra={}))
    if isinstance(photo, ZipPhoto | TarPhoto):
        return HandedPhoto(name, replace(photo, archive=_absolute(photo.archive), extra={}))
    return _hand_over_bytes(name, photo)


def iter_chunks(photos: Iterable[InputPhoto], size: int) -> Iterator[Chunk]:
    """Yield photos in chunks: of `size`, or fewer that have `CHUNK_BYTES` bytes."""
    remaining = iter(photos)
    while True:
        handed: list[HandedPhoto] = []
        extra: list[Extra] = []
        length = 0
        for photo in islice(remaining, size):
            extra.append(photo.extra)
            handed.append(hand_over(photo))
            length += len(source) if isinstance(source := handed[-1].source, bytes) else 0
            if length >= CHUNK_BYTES:
                break
        if not handed:
            return
        yield Chunk(tuple(handed), tuple(extra))


def receive(photos: Iterable[HandedPhoto], references: References) -> Iterator[InputPhoto]:
    """Yield handed photos as an input's; those at addresses can be fetched ahead.

    Raises `UsageError` if this machine lacks the extra `cloud` and an object store is named.
    """
    for photo in photos:
        yield references.find(photo.source) if isinstance(photo.source, str) else photo


def _hand_over_bytes(name: str, photo: InputPhoto) -> HandedPhoto:
    try:
        return HandedPhoto(name, photo.read())
    except PhotoError as error:
        return HandedPhoto(name, PhotoFile(name, error.reason, extra={}))


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - called for millions of names
