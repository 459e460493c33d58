"""Copies of photos to be kept: without metadata, and with the labels of the files that they were made of.

A file's EXIF says where and by whom a photo was taken, and what stands behind its pixels may be anything. Decoding a
photo at another size or storing it anew changes pixels by a level or so, which can change a label. So compressed pixels
are kept as they are wherever that is possible.
"""

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from PIL import Image

from hangtag.imaging.apart import PhotoCopy, copy_apart
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.colour import keeps_numbers
from hangtag.imaging.cost import weigh_photo
from hangtag.imaging.decode import LYING, convert_upright, open_photo, read_orientation
from hangtag.imaging.oddities import lift_metadata
from hangtag.imaging.stripping import strip_jpeg, strip_png, strip_webp

MOST_PIXELS: Final = 16_000_000
"""A copy that is made anew has at most so many pixels, and a photo of more half, a third or a quarter of its sides."""

_LOSSLESS_PIXELS: Final = 4_000_000
"""Up to this, a copy that is made anew is a PNG."""

_QUALITY: Final = 95
_PNG_LEVEL: Final = 4

_PNG: Final = b"\x89PNG"
_STRIPPERS: Final[Mapping[bytes, Callable[..., bytes | None]]] = {
    b"\xff\xd8\xff": strip_jpeg,
    _PNG: strip_png,
    b"RIFF": strip_webp,
}
_remaking = threading.Lock()
"""One photo at a time: each takes as much memory as its pixels."""


def copy_photo(data: bytes, limits: DecodeLimits) -> PhotoCopy:
    """Return a copy of a photo without metadata.

    Of a JPEG, PNG or WebP, the compressed pixels are kept as they are, with the orientation and the colours that they
    need. Everything else is decoded and made anew, upright and in sRGB. Photos whose marks do not prove that they are
    cheap are read and copied in another process. Raises `PhotoError` with the reason why the bytes cannot be shown.
    """
    limits = replace(limits, min_side=1)  # that such a photo shows too little is for who labels it to say
    if weigh_photo(data, replace(limits, here_pixels=None)):
        kept = keep_pixels(data, limits)
        if kept is not None:
            if data.startswith(_PNG):  # its parts need not show that it is damaged
                with open_photo(data, limits) as photo:
                    photo.load()
            return kept
    if not weigh_photo(data, limits):
        return copy_apart(data, limits)
    return _remake_here(data, limits)


def show_upright(data: bytes, limits: DecodeLimits) -> bytes:
    """Return a photo as everyone may have it: upright, in sRGB, without metadata; one that is so comes as it is.

    Raises `PhotoError` with the reason why the bytes cannot be shown.
    """
    limits = replace(limits, min_side=1)
    if not weigh_photo(data, limits):
        return copy_apart(data, limits, is_upright=True).data
    kept = keep_pixels(data, limits, is_upright=True)
    return (kept or _remake_here(data, limits)).data


def keep_pixels(data: bytes, limits: DecodeLimits, *, is_upright: bool = False) -> PhotoCopy | None:
    """Return a copy of a photo whose compressed pixels stay as they are; None where it has to be made anew.

    With `is_upright`, that is so of all photos that lie or have other colours than sRGB's.
    """
    strip = next((strip for start, strip in _STRIPPERS.items() if data.startswith(start)), None)
    if strip is None:
        return None
    with open_photo(lift_metadata(data), limits) as photo:
        size, turn, with_colours = photo.size, read_orientation(photo), not keeps_numbers(photo)
    if is_upright and (turn != 1 or with_colours):
        return None
    stripped = strip(data, turn, with_colours=with_colours)
    return None if stripped is None else PhotoCopy(stripped, size[::-1] if turn >= LYING else size)


def remake_photo(image: Image.Image, size: tuple[int, int], most_bytes: int) -> PhotoCopy:
    """Return a copy that is made anew of an upright RGB image, of a photo of (width, height) in full."""
    image.info.clear()  # or the PNG would have the profile of sRGB
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
        return remake_photo(image, image.size, limits.max_bytes)
