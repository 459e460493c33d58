"""Copies of photos to be kept: without metadata, and with the labels of the files that they were made of.

A file's EXIF says where and by whom a photo was taken, and what stands behind its pixels may be anything. Decoding a
photo at another size or storing it anew changes pixels by a level or so, which can change a label. So compressed pixels
are kept as they are wherever that is possible.
"""

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from PIL import Image

from hangtag.imaging.apart import DecodeRequest, decode_apart
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.colour import keeps_numbers
from hangtag.imaging.cost import weigh_photo
from hangtag.imaging.decode import LYING, convert_upright, open_photo, read_orientation
from hangtag.imaging.stripping import strip_jpeg, strip_png, strip_webp

MOST_PIXELS: Final = 16_000_000
"""A copy that is made anew has at most so many pixels, and a photo of more half, a third or a quarter of its sides."""

_LOSSLESS_PIXELS: Final = 4_000_000
"""Up to this, a copy that is made anew is a PNG."""

_QUALITY: Final = 95
_PNG_LEVEL: Final = 4

_STRIPPERS: Final[Mapping[bytes, Callable[..., bytes | None]]] = {
    b"\xff\xd8\xff": strip_jpeg,
    b"\x89PNG": strip_png,
    b"RIFF": strip_webp,
}
_remaking = threading.Lock()
"""One photo at a time: each takes as much memory as its pixels."""


@dataclass(frozen=True, slots=True)
class PhotoCopy:
    """A copy to be kept, and the (width, height) of the photo."""

    data: bytes
    size: tuple[int, int]


def copy_photo(data: bytes, limits: DecodeLimits) -> PhotoCopy:
    """Return a copy of a photo without metadata.

    Of a JPEG, PNG or WebP, the compressed pixels are kept as they are, with the orientation and the colours that they
    need. Everything else is decoded and made anew, upright and in sRGB. Raises `PhotoError` with the reason why the
    bytes cannot be shown.
    """
    limits = replace(limits, min_side=1)  # that such a photo shows too little is for who labels it to say
    strip = next((strip for start, strip in _STRIPPERS.items() if data.startswith(start)), None)
    if strip is not None:
        weigh_photo(data, limits)
        with open_photo(data, limits) as photo:
            size, turn, with_colours = photo.size, read_orientation(photo), not keeps_numbers(photo)
        stripped = strip(data, turn, with_colours=with_colours)
        if stripped is not None:
            return PhotoCopy(stripped, size[::-1] if turn >= LYING else size)
    with _remaking:
        return _remake(*_decode(data, limits), limits.max_bytes)


def show_upright(data: bytes, limits: DecodeLimits) -> bytes:
    """Return a photo as everyone may have it: upright, in sRGB, without metadata; one that is so comes as it is.

    Raises `PhotoError` with the reason why the bytes cannot be shown.
    """
    copy = copy_photo(data, limits)
    with open_photo(copy.data, replace(limits, min_side=1)) as photo:
        is_plain = read_orientation(photo) == 1 and keeps_numbers(photo)
    if is_plain:
        return copy.data
    with _remaking:
        return _remake(*_decode(copy.data, limits), limits.max_bytes).data


def _remake(image: Image.Image, size: tuple[int, int], most_bytes: int) -> PhotoCopy:
    image.info.clear()  # or the PNG would have the profile of sRGB
    file = io.BytesIO()
    if size[0] * size[1] <= _LOSSLESS_PIXELS:
        image.save(file, "PNG", compress_level=_PNG_LEVEL)
        if file.tell() <= most_bytes:
            return PhotoCopy(file.getvalue(), size)
        file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return PhotoCopy(file.getvalue(), size)


def _decode(data: bytes, limits: DecodeLimits) -> tuple[Image.Image, tuple[int, int]]:
    """Return the upright RGB image, at most `MOST_PIXELS`, and its (width, height) in full."""
    if not weigh_photo(data, limits):
        decoded = decode_apart(data, DecodeRequest(limits, most_pixels=MOST_PIXELS))
        return decoded.image, decoded.size
    with open_photo(data, limits) as photo:
        image = convert_upright(photo)
        return image, image.size
