"""Photos without their metadata, pixel for pixel: what stays are the compressed pixels and what they need to be shown.

That is the way that they lie, where they lie, and their colours, where these are not sRGB.
"""

import re
import struct
import zlib
from typing import Final

_JPEG: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_MARK: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The next mark in a scan: not a byte that happens to be 255, a restart or a filling."""

_NO_FILLING: Final = re.compile(rb"[^\xff]")

_SCAN, _JFIF, _EXIF, _ICC, _ADOBE, _LAST, _FILLING = 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xD9, 0xFF
_NEEDED: Final = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF}) - {0xC8}
"""Frames, tables, scans and restart intervals."""

_PLAIN_JFIF: Final = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
_ADOBE_BYTES: Final = 12
"""Adobe's segment says how colours are stored."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NEEDED_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_COLOUR_CHUNKS: Final = frozenset({b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM"})

_NEEDED_PARTS: Final = frozenset({b"VP8X", b"ALPH", b"VP8 ", b"VP8L"})
_ICC_FLAG, _ALPHA_FLAG, _EXIF_FLAG = 0x20, 0x10, 0x08


def strip_jpeg(data: bytes, turn: int, *, with_colours: bool) -> bytes | None:
    """Return a JPEG's first picture alone, None for one that is not written in the usual way.

    `turn` is its EXIF orientation. What stands behind its end goes, too: other pictures, other files.
    """
    kept, position, has_scan = [_JPEG], 2, False
    if turn != 1:
        body = b"Exif\0\0" + _write_exif(turn)
        kept.append(bytes([_FILLING, _EXIF]) + struct.pack(">H", len(body) + 2) + body)
    while position + 4 <= len(data) and data[position] == _FILLING:
        mark, end = (
            data[position + 1],
            position + 2 + int.from_bytes(data[position + 2 : position + 4], "big"),
        )
        if mark == _LAST:
            return b"".join([*kept, _END])
        if mark == _FILLING:
            filled = _NO_FILLING.search(data, position)
            position = len(data) if filled is None else filled.start() - 1
            continue
        is_usual = mark in _NEEDED if has_scan else mark in _NEEDED or mark >= _JFIF
        if not is_usual:
            return None
        kept.append(_strip_segment(mark, data[position:end], with_colours=with_colours))
        position = end
        if mark == _SCAN:
            has_scan = True
            found = _MARK.search(data, position)
            position = len(data) if found is None else found.start()
            kept.append(data[end:position])
    if data[position : position + 2] == _END:
        return b"".join([*kept, _END])
    return b"".join(kept) if position >= len(data) and len(kept) > 1 else None


def strip_png(data: bytes, turn: int, *, with_colours: bool) -> bytes | None:
    """Return a PNG's first picture alone, None for one that is cut off."""
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
    """Return a WebP's picture alone, None for an animation and for one that is cut off."""
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


def _strip_segment(mark: int, segment: bytes, *, with_colours: bool) -> bytes:
    """Return what stays of a JPEG's segment: all, nothing, or the part that is no metadata."""
    body = segment[4:]
    if mark in _NEEDED or (mark == _ICC and with_colours and body.startswith(b"ICC_PROFILE\0")):
        return segment
    if mark == _JFIF and body.startswith(b"JFIF\0"):
        return _PLAIN_JFIF
    if mark == _ADOBE and body.startswith(b"Adobe"):
        return b"\xff\xee\0\x0e" + body[:_ADOBE_BYTES]
    return b""


def _write_exif(turn: int) -> bytes:
    """Return EXIF that holds an orientation and nothing else; its length is even."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, turn, 0, 0)
