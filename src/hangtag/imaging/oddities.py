"""Repairing unusual but complete files that every viewer shows but the decoder would reject."""

import io
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image

METADATA_LIMIT: Final = 1 << 20
"""How many bytes the texts of a PNG, and its profile, may unpack to. Beyond this Pillow refuses the whole photo."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NO_PIXELS: Final = b"\0\0\0\0IDAT5\xaf\x06\x1e"
_FRAMES: Final = frozenset({b"acTL", b"fcTL", b"fdAT"})
_CHUNK_FRAME: Final = 12
"""The bytes of a chunk besides its data: length, type, checksum."""

_LENGTHS: Final = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}
"""The smallest data length of these chunks."""

_CLEAR_COLOUR_BYTES: Final = {0: 2, 2: 6}
"""The smallest length of the transparent colour, by colour type: grey, RGB. A palette may have any length."""

_LOWER_CASE: Final = 0x20
"""The bit in a chunk's first letter that marks the chunk as not needed to decode the pixels."""

_JPEG: Final = b"\xff\xd8"
_JPEG_SCAN: Final = b"\xff\xda"
_JPEG_END: Final = b"\xff\xd9"
_TAILS: Final = (bytes(64), b"\x55" * 64)
_COMPARED_SIZE: Final = (1000, 1000)


def drop_odd_metadata(data: bytes) -> bytes:
    """Return a PNG without metadata that would make decoding fail.

    This removes chunks that have a wrong checksum, are malformed or too short, or unpack to too much.

    Other files, and truncated PNGs, are returned unchanged.
    """
    if not data.startswith(_PNG):
        return data
    kept, start, texts_left = [], 0, METADATA_LIMIT
    lengths = _LENGTHS | {b"tRNS": _CLEAR_COLOUR_BYTES.get(int.from_bytes(data[25:26]), 0)}
    for position, end in _iter_metadata(data):
        kind, body = data[position + 4 : position + 8], data[position + 8 : end - 4]
        is_text = kind in (b"tEXt", b"zTXt", b"iTXt")
        size = _unpacked_size(kind, body, texts_left if is_text else METADATA_LIMIT)
        is_sound = zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(data[end - 4 : end], "big")
        if size is not None and is_sound and len(body) >= lengths.get(kind, 0):
            texts_left -= size if is_text else 0
            continue
        kept.append(data[start:position])
        start = end
    return b"".join([*kept, data[start:]]) if kept else data


def drop_png_pixels(data: bytes) -> bytes:
    """Return a PNG without its pixels, so that reading its header reads all metadata. Other files are unchanged."""
    if not data.startswith(_PNG):
        return data
    kept, pixels, position = [_PNG], [], len(_PNG)
    while position + _CHUNK_FRAME <= len(data):
        end = position + _CHUNK_FRAME + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if kind == b"IEND":
            break
        if kind == b"IDAT":
            pixels = [_NO_PIXELS]
        elif kind not in _FRAMES:
            kept.append(data[position:end])
        position = end
    return b"".join([*kept, *pixels])


def lacks_end_marker(data: bytes) -> bool:
    """Return whether a JPEG ends within its last scan, without an end marker. It may also lack pixels."""
    if data.endswith(_JPEG_END) or not data.startswith(_JPEG):
        return False
    return data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN)


def add_end_marker(data: bytes) -> bytes:
    """Add the end marker to a JPEG that `lacks_end_marker`. One that also lacks pixels is returned unchanged.

    Pixels are missing if the result depends on what follows. Raises Pillow's errors for broken files.
    """
    pixels = data.rstrip(b"\xff")  # drop half of an end marker
    shown = [_show(pixels + tail + _JPEG_END) for tail in _TAILS]
    return pixels + _JPEG_END if shown[0] == shown[1] else data


def _show(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.draft(None, _COMPARED_SIZE)
        return image.tobytes()


def _iter_metadata(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each PNG chunk that the pixels do not need."""
    position = len(_PNG)
    while position + _CHUNK_FRAME <= len(data):
        end = position + _CHUNK_FRAME + int.from_bytes(data[position : position + 4], "big")
        if end > len(data):
            return
        if data[position + 4] & _LOWER_CASE:
            yield position, end
        position = end


def _unpacked_size(kind: bytes, body: bytes, most: int) -> int | None:
    """Return how many bytes a chunk's data unpacks to; None if it is over `most` or broken."""
    packed = _find_packed(kind, body)
    if packed is None:
        return len(body) if len(body) <= most or kind != b"tEXt" else None
    try:
        size = len(zlib.decompressobj().decompress(packed, most + 1))
    except zlib.error:
        return None
    return size if size <= most else None


def _find_packed(kind: bytes, body: bytes) -> bytes | None:
    """Return the compressed part of a chunk's data; None if there is none."""
    _, _, rest = body.partition(b"\0")
    if kind in (b"zTXt", b"iCCP"):
        return rest[1:] if rest[:1] == b"\0" else b"packed in an unknown way"
    if kind == b"iTXt" and rest[:1] == b"\1":
        return rest[2:].split(b"\0", 2)[-1]
    return None
