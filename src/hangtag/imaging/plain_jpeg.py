"""A fast path for plain JPEGs, the most common photos of a shop: small, baseline, without metadata.

Pillow takes four times as long for one of 60x80, nearly all of it in Python code that holds the interpreter lock.
Here a few header bytes prove that a photo is plain and cheap, and libjpeg-turbo decodes it in one call that releases
the lock. Pillow uses the same library, so the pixels are the same.
"""

from typing import Final

from PIL import Image

try:
    import simplejpeg
except ImportError:  # not every platform has wheels; Pillow decodes everything then
    simplejpeg = None  # type: ignore[assignment, unused-ignore]

MOST_PIXELS: Final = 1 << 20
"""Larger photos take the normal path, which bounds their cost and decodes large ones at a reduced size."""

_MARKER: Final = 0xFF
_IMAGE: Final = 0xD8
_FRAME: Final = 0xC0
_SCAN: Final = 0xDA
_PLAIN_SEGMENTS: Final = frozenset({0xE0, 0xDB, 0xC4, 0xDD, 0xFE})
"""JFIF, tables, restart interval, comment. EXIF (rotation), ICC profiles and Adobe's colour marker are not plain."""

_COMPONENTS: Final = (1, 3)
_BITS: Final = 8


def plain_size(data: bytes) -> tuple[int, int] | None:
    """Return the (width, height) of a plain JPEG; None for any other file.

    A plain JPEG is baseline, has one scan and at most `MOST_PIXELS`, is grey or YCbCr, and has no metadata.
    """
    frame: bytes = b""
    position = 2
    try:
        if simplejpeg is None or data[0] != _MARKER or data[1] != _IMAGE:
            return None
        while data[position] == _MARKER:
            kind, end = data[position + 1], position + 2 + (data[position + 2] << 8 | data[position + 3])
            if kind == _SCAN:  # one scan holds all components, so nothing is decoded twice
                return _read_size(frame) if frame and frame[5] == data[position + 4] else None
            if kind == _FRAME and not frame:
                frame = data[position + 4 : end]
            elif kind not in _PLAIN_SEGMENTS:
                return None
            position = end
    except IndexError:
        pass
    return None


def _read_size(frame: bytes) -> tuple[int, int] | None:
    bits, height, width, components = frame[0], frame[1] << 8 | frame[2], frame[3] << 8 | frame[4], frame[5]
    if bits != _BITS or components not in _COMPONENTS or width * height > MOST_PIXELS:
        return None
    return width, height


def decode_plain_jpeg(data: bytes) -> Image.Image | None:
    """Return the RGB image of a JPEG that has a `plain_size`; None if it is damaged."""
    try:
        return Image.fromarray(simplejpeg.decode_jpeg(data))
    except ValueError:
        return None
