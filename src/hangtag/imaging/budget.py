"""The decoding limits for one photo, shared by the command line, the service, thumbnails and explanations."""

import os
from dataclasses import dataclass
from typing import Final, Self

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """The limits for one photo. A crafted file can be small on disk and enormous in memory.

    `max_seconds` is processor time; on a busy machine a photo may take longer by the clock. `max_memory_bytes` is
    what decoding may allocate, not counting the file itself. If `in_process_pixels` is set, photos larger than that are
    decoded in a separate process even if they are cheap, to keep this one responsive.
    """

    max_bytes: int = 25_000_000
    max_pixels: int = 50_000_000
    max_frames: int = 60
    max_seconds: float = 2.0
    max_memory_bytes: int = 300_000_000
    min_side: int = 8
    in_process_pixels: int | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """Return the limits from the environment variables that the service also uses.

        These are `HANGTAG_MAX_FILE_BYTES`, `HANGTAG_MAX_PIXELS`, `HANGTAG_MAX_FRAMES`, `HANGTAG_MAX_DECODE_SECONDS` and
        `HANGTAG_MAX_DECODE_BYTES`. Raises `UsageError` for a value that is not a positive number.
        """
        usual = cls()
        return cls(
            max_bytes=int(_read_number("HANGTAG_MAX_FILE_BYTES", usual.max_bytes)),
            max_pixels=int(_read_number("HANGTAG_MAX_PIXELS", usual.max_pixels)),
            max_frames=int(_read_number("HANGTAG_MAX_FRAMES", usual.max_frames)),
            max_seconds=_read_number("HANGTAG_MAX_DECODE_SECONDS", usual.max_seconds),
            max_memory_bytes=int(_read_number("HANGTAG_MAX_DECODE_BYTES", usual.max_memory_bytes)),
        )

    def check_bytes(self, count: int) -> None:
        """Raise `PhotoError` for a file that is empty or too large."""
        if not count:
            raise PhotoError(Reason.EMPTY)
        if count > self.max_bytes:
            raise too_large(self)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise `PhotoError` for a photo whose (width, height) is too large, or too small to show anything."""
        width, height = size
        if width * height > self.max_pixels:
            raise PhotoError(
                Reason.TOO_MANY_PIXELS, f"the photo is {width}x{height}, over {self.max_pixels:,} pixels"
            )
        if min(width, height) < self.min_side:
            raise PhotoError(
                Reason.TOO_SMALL, f"the photo is {width}x{height}, under {self.min_side} pixels a side"
            )


DEFAULT_LIMITS: Final = DecodeLimits()


def too_large(limits: DecodeLimits) -> PhotoError:
    """Return the error for a file over the size limit."""
    return PhotoError(Reason.TOO_MANY_BYTES, f"the file is larger than {limits.max_bytes:,} bytes")


def _read_number(name: str, usual: float) -> float:
    given = os.environ.get(name, "").strip()
    if not given:
        return usual
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UsageError(f"{given!r} is not a positive number", where=name)
    return number
