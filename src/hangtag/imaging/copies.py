"""Copies of photos for storage: without metadata, and with the same labels as the original files.

EXIF may say where and by whom a photo was taken, and a file may have anything after its pixels. Decoding a photo at
another size, or re-encoding it, changes pixels by about a level, which can change a label. So the compressed pixels are
kept wherever possible.
"""

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from PIL import Image

from hangtag.imaging.apart import PhotoCopy, copy_apart
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.colour import is_srgb
from hangtag.imaging.cost import is_cheap_to_decode
from hangtag.imaging.decode import SIDEWAYS, convert_upright, open_photo, read_orientation
from hangtag.imaging.oddities import drop_png_pixels
from hangtag.imaging.stripping import strip_jpeg, strip_png, strip_webp

MOST_PIXELS: Final = 16_000_000
"""The pixel limit of a re-encoded copy. A larger photo is reduced to a half, a third or a quarter of its sides."""

_LOSSLESS_PIXELS: Final = 4_000_000
"""Up to this size, a re-encoded copy is a PNG."""

_QUALITY: Final = 95
_PNG_LEVEL: Final = 4

_PNG: Final = b"\x89PNG"
_STRIPPERS: Final[Mapping[bytes, Callable[..., bytes | None]]] = {
    b"\xff\xd8\xff": strip_jpeg,
    _PNG: strip_png,
    b"RIFF": strip_webp,
}
_remaking = threading.Lock()
"""Re-encodes one photo at a time, since each needs memory for all its pixels."""


def copy_photo(data: bytes, limits: DecodeLimits) -> PhotoCopy:
    """Return a copy of a photo without metadata.

    For a JPEG, PNG or WebP, the compressed pixels are kept, with the orientation and colour information that they
    need. Everything else is decoded and re-encoded, upright and in sRGB. Photos that are not certainly cheap to
    decode are copied in another process. Raises `PhotoError` with the reason if the photo cannot be decoded.
    """
    # Whoever labels the photo reports that it is too small to show anything.
    limits = replace(limits, min_side=1)
    if is_cheap_to_decode(data, replace(limits, in_process_pixels=None)):
        kept = keep_pixels(data, limits)
        if kept is not None:
            if data.startswith(_PNG):  # the chunks of a damaged PNG may look intact
                with open_photo(data, limits) as photo:
                    photo.load()
            return kept
    if not is_cheap_to_decode(data, limits):
        return copy_apart(data, limits)
    return _remake_here(data, limits)


def render_upright(data: bytes, limits: DecodeLimits) -> bytes:
    """Return a photo for publishing: upright, in sRGB, without metadata. A photo that already is comes back unchanged.

    Raises `PhotoError` with the reason if the photo cannot be decoded.
    """
    limits = replace(limits, min_side=1)
    if not is_cheap_to_decode(data, limits):
        return copy_apart(data, limits, is_upright=True).data
    kept = keep_pixels(data, limits, is_upright=True)
    return (kept or _remake_here(data, limits)).data


def keep_pixels(data: bytes, limits: DecodeLimits, *, is_upright: bool = False) -> PhotoCopy | None:
    """Return a copy with the same compressed pixels, or None if the photo has to be re-encoded.

    With `is_upright`, every photo that is rotated or not in sRGB has to be.
    """
    strip = next((strip for start, strip in _STRIPPERS.items() if data.startswith(start)), None)
    if strip is None:
        return None
    with open_photo(drop_png_pixels(data), limits) as photo:
        size, turn, with_colours = photo.size, read_orientation(photo), not is_srgb(photo)
    if is_upright and (turn != 1 or with_colours):
        return None
    stripped = strip(data, turn, with_colours=with_colours)
    return None if stripped is None else PhotoCopy(stripped, size[::-1] if turn >= SIDEWAYS else size)


def reencode_photo(image: Image.Image, size: tuple[int, int], most_bytes: int) -> PhotoCopy:
    """Return a re-encoded copy of an upright RGB image from a photo whose full size is (width, height)."""
    image.info.clear()  # otherwise the PNG would include the sRGB profile
    file = io.BytesIO()
    if size[0] * size[1] <= _LOSSLESS_PIXELS:
        image.save(file, "PNG", compress_level=_PNG_LEVEL)
        if file.tell() <= most_bytes:
            return PhotoCopy(file.getvalue(), size)
        file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return PhotoCopy(file.getvalue(), size)


def _remake_here(data: bytes, limits: DecodeLimits) -> PhotoCopy:
    with _remaking, open_photo(data, limits) as photo:
        image = convert_upright(photo)
        return reencode_photo(image, image.size, limits.max_bytes)
