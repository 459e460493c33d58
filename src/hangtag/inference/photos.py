"""Photos as a caller of the Python API gives them: paths of files, and bytes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hangtag.imaging.decode import DEFAULT_LIMITS, DecodeLimits, read_photo_bytes

GivenPhoto = str | Path | bytes
"""The path of a photo's file, or the bytes of one."""


@dataclass(frozen=True, slots=True)
class NamedPhoto:
    """A given photo and what its answer calls it."""

    name: str
    given: GivenPhoto

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes; raises `PhotoError` with the reason why they cannot be had."""
        return self.given if isinstance(self.given, bytes) else read_photo_bytes(Path(self.given), limits)


def iter_named(photos: Iterable[GivenPhoto]) -> Iterator[NamedPhoto]:
    """Yield the photos by the names of their files; bytes are named by their position, from `photo 1` on."""
    for position, photo in enumerate(photos, start=1):
        yield NamedPhoto(f"photo {position}" if isinstance(photo, bytes) else str(photo), photo)
