"""The index of a zip, read entry by entry: Python's own reader makes an object of each and keeps them all."""

import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_ENTRY: Final = struct.Struct("<4s2B5H3L5H2L")
"""APPNOTE.TXT 4.3.12, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT"""

_ENTRY_MARK: Final = b"PK\x01\x02"
_END64_MARK: Final = b"PK\x06\x06"
_END64_BYTES: Final = 56 + 20
_ZIP64_FIELD: Final = 1
_IN_ZIP64: Final = 0xFFFF_FFFF
_MADE_ON_UNIX: Final = 3
_ENCRYPTED: Final = 0x1
_NAMES_ARE_UTF8: Final = 0x800


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """What the index says of one entry; sizes in bytes. Nothing of it is to be trusted."""

    name: str
    method: int
    is_encrypted: bool
    is_link: bool
    crc: int
    packed_bytes: int
    unpacked_bytes: int
    offset: int


class NoIndexError(zipfile.BadZipFile):
    """A zip has no index, which stands at its end."""


def iter_entries(file: BinaryIO) -> Iterator[ZipEntry]:
    """Iterate the entries of a zip in the order of its index, a few of them in memory at a time.

    Raises `zipfile.BadZipFile` when it has no index, or one that breaks off.
    """
    start, length, shift = _find_index(file)
    position, end = start, start + length
    while position < end:
        file.seek(position)
        head = file.read(_ENTRY.size)
        if len(head) < _ENTRY.size or not head.startswith(_ENTRY_MARK):
            raise zipfile.BadZipFile("its index is damaged")
        fields = _ENTRY.unpack(head)
        name_length, extra_length, comment_length = fields[11:14]
        name, extra = file.read(name_length), file.read(extra_length)
        yield _build_entry(fields, name, extra, shift)
        position += _ENTRY.size + name_length + extra_length + comment_length


def _find_index(file: BinaryIO) -> tuple[int, int, int]:
    """Return where the index starts, its length, and how far the zip lies behind the start of its file."""
    # Not another way of finding the index, in which a crafted file could show other entries than everywhere else.
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001
    if end is None:
        raise NoIndexError("it has no index; it may be cut off")
    length, offset = end[zipfile._ECD_SIZE], end[zipfile._ECD_OFFSET]  # type: ignore[attr-defined]  # noqa: SLF001
    start = end[zipfile._ECD_LOCATION] - length  # type: ignore[attr-defined]  # noqa: SLF001
    if end[zipfile._ECD_SIGNATURE] == _END64_MARK:  # type: ignore[attr-defined]  # noqa: SLF001
        start -= _END64_BYTES
    if start < 0 or start < offset:
        raise zipfile.BadZipFile("its index is damaged")
    return start, length, start - offset


def _build_entry(fields: tuple[int, ...], name: bytes, extra: bytes, shift: int) -> ZipEntry:
    _, _, made_on, _, flags, method, _, _, crc, packed, size = fields[:11]
    external, offset = fields[16:]
    size, packed, offset = _widen(extra, size, packed, offset)
    return ZipEntry(
        name=_decode_name(name, flags),
        method=method,
        is_encrypted=bool(flags & _ENCRYPTED),
        is_link=made_on == _MADE_ON_UNIX and stat.S_ISLNK(external >> 16),
        crc=crc,
        packed_bytes=packed,
        unpacked_bytes=size,
        offset=offset + shift,
    )


def _widen(extra: bytes, *values: int) -> tuple[int, ...]:
    """Take the values that do not fit in 32 bits from the field made for them."""
    wide = memoryview(extra)
    while len(wide) >= struct.calcsize("<HH"):
        kind, length = struct.unpack_from("<HH", wide)
        body, wide = wide[4 : 4 + length], wide[4 + length :]
        if kind == _ZIP64_FIELD:
            given = iter(struct.unpack_from(f"<{len(body) // 8}Q", body))
            return tuple(next(given, value) if value == _IN_ZIP64 else value for value in values)
    return values


def _decode_name(name: bytes, flags: int) -> str:
    """Decode a name. Many systems write UTF-8 without saying so; Windows writes its own slashes."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        text = name.decode("utf-8", "backslashreplace") if flags & _NAMES_ARE_UTF8 else name.decode("cp437")
    return text if "/" in text else text.replace("\\", "/")
