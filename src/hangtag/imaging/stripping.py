"""Removing metadata from photos without touching their compressed pixels.

Only what is needed to show the pixels stays: the orientation if the photo is rotated, and the colours if they are not
sRGB.
"""

import re
import struct
import zlib
from typing import Final

_JPEG: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The next marker in a scan. Stuffed 0xFF bytes, restart markers and fill bytes are skipped."""

_NO_FILLING: Final = re.compile(rb"[^\xff]")

_SCAN, _JFIF, _EXIF, _ICC, _ADOBE, _LAST, _FILL = 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xD9, 0xFF
_NEEDED: Final = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF}) - {0xC8}
"""Frames, tables, scans and restart intervals."""

_PLAIN_JFIF: Final = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
_ADOBE_BYTES: Final = 12
"""Adobe's segment, which says how colours are stored."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NEEDED_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_COLOUR_CHUNKS: Final = frozenset({b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM"})

_NEEDED_PARTS: Final = frozenset({b"VP8X", b"ALPH", b"VP8 ", b"VP8L"})
_ICC_FLAG, _ALPHA_FLAG, _EXIF_FLAG = 0x20, 0x10, 0x08


def strip_jpeg(data: bytes, turn: int, *, with_colours: bool) -> bytes | None:
    """Return only the first picture of a JPEG; None if the file has an unusual structure.

    `turn` is its EXIF orientation. Anything after the end of the picture is dropped too.
    """
    kept, position, has_scan = [_JPEG], 2, False
    if turn != 1:
        body = b"Exif\0\0" + _write_exif(turn)
        kept.append(bytes([_FILL, _EXIF]) + struct.pack(">H", len(body) + 2) + body)
    while position + 4 <= len(data) and data[position] == _FILL:
        marker, end = (
            data[position + 1],
            position + 2 + int.from_bytes(data[position + 2 : position + 4], "big"),
        )
        if marker == _LAST:
            return b"".join([*kept, _END])
        if marker == _FILL:
            filled = _NO_FILLING.search(data, position)
            position = len(data) if filled is None else filled.start() - 1
            continue
        is_usual = marker in _NEEDED if has_scan else marker in _NEEDED or marker >= _JFIF
        if not is_usual:
            return None
        kept.append(_strip_segment(marker, data[position:end], with_colours=with_colours))
        position = end
        if marker == _SCAN:
            has_scan = True
            found = _MARKER.search(data, position)
            position = len(data) if found is None else found.start()
            kept.append(data[end:position])
    if data[position : position + 2] == _END:
        return b"".join([*kept, _END])
    return b"".join(kept) if position >= len(data) and len(kept) > 1 else None


def strip_png(data: bytes, turn: int, *, with_colours: bool) -> bytes | None:
    """Return only the first picture of a PNG; None if the file is truncated."""
    wanted = _NEEDED_CHUNKS | (_COLOUR_CHUNKS if with_colours else frozenset())
    kept, position = [_PNG], len(_PNG)
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if kind in wanted:
            kept.append(data[position:end])
        if kind == b"IHDR" and turn != 1:
            body = b"eXIf" + _write_exif(turn)
            kept.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
        if kind == b"IEND":
            return b"".join(kept)
        position = end
    return None


def strip_webp(data: bytes, turn: int, *, with_colours: bool) -> bytes | None:
    """Return only the picture of a WebP; None for an animation or a truncated file."""
    wanted = _NEEDED_PARTS | ({b"ICCP"} if with_colours else frozenset())
    kept, position = [], 12
    flags = _ALPHA_FLAG | (_ICC_FLAG if with_colours else 0)
    while position + 8 <= len(data):
        kind, length = (
            data[position : position + 4],
            int.from_bytes(data[position + 4 : position + 8], "little"),
        )
        end = position + 8 + length
        if kind in (b"ANIM", b"ANMF") or end > len(data):
            return None
        part = bytearray(data[position:end])
        if kind == b"VP8X" and length:
            part[8] = part[8] & flags | (_EXIF_FLAG if turn != 1 else 0)
        if kind in wanted:
            kept.append(bytes(part) + b"\0" * (length % 2))
        position = end + length % 2
    if turn != 1:
        body = _write_exif(turn)
        kept.append(b"EXIF" + struct.pack("<I", len(body)) + body)
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body if kept else None


def _strip_segment(marker: int, segment: bytes, *, with_colours: bool) -> bytes:
    """Return the part of a JPEG segment to keep: all, nothing, or the part that is not metadata."""
    body = segment[4:]
    if marker in _NEEDED or (marker == _ICC and with_colours and body.startswith(b"ICC_PROFILE\0")):
        return segment
    if marker == _JFIF and body.startswith(b"JFIF\0"):
        return _PLAIN_JFIF
    if marker == _ADOBE and body.startswith(b"Adobe"):
        return b"\xff\xee\0\x0e" + body[:_ADOBE_BYTES]
    return b""


def _write_exif(turn: int) -> bytes:
    """Return EXIF that holds only an orientation. Its length is even."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, turn, 0, 0)
