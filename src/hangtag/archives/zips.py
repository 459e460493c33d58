"""Reading zips: the index is read entry by entry, and each entry in place, up to the allowed size.

Python's own reader keeps an object for each entry, and does not repair names.
"""

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits, too_large

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LOCAL_MARK: Final = b"PK\x03\x04"
"""The signature of an entry, and of a non-empty zip."""

_ENTRY: Final = struct.Struct("<4s2B5H3L5H2L")
"""A central directory header: APPNOTE.TXT 4.3.12, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT"""

_LOCAL_HEAD: Final = struct.Struct("<4s2B4H3L2H")
_ENTRY_MARK: Final = b"PK\x01\x02"
_END64_MARK: Final = b"PK\x06\x06"
_END64_BYTES: Final = 56 + 20
_ZIP64_FIELD: Final = 1
_UNICODE_PATH_FIELD: Final = 0x7075
_IN_ZIP64: Final = 0xFFFF_FFFF
_MADE_ON_UNIX: Final = 3
_ENCRYPTED: Final = 0x1
_NAMES_ARE_UTF8: Final = 0x800

_CODE_PAGES: Final = ("cp437", "cp850", "cp1252", "cp866")
"""The code pages of names written by DOS and Windows, the standard's first. Ties go to the first."""

_GROWTH_BYTES: Final = 65_536
"""How much larger than its content a deflated entry may be: it grows by at most 5 bytes per 16 KiB."""

_PIECE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """An entry of the index, sizes in bytes. None of it can be trusted. Slashes separate folders."""

    name: str
    method: int
    is_encrypted: bool
    is_link: bool
    crc: int
    packed_bytes: int
    unpacked_bytes: int
    offset: int


class NoIndexError(zipfile.BadZipFile):
    """A zip has no index, which belongs at its end."""


def iter_entries(file: BinaryIO) -> Iterator[ZipEntry]:
    """Iterate the entries of a zip in index order, with few of them in memory at a time.

    Raises `zipfile.BadZipFile` if the index is missing or cut off, or if entries overlap.
    """
    reached = 0
    is_checked = False
    for entry in _iter_index(file):
        if entry.offset < reached and not is_checked:
            _check_overlaps(file)
            is_checked = True
        reached = max(reached, _end_of(entry))
        yield entry


def measure_index(path: Path) -> int:
    """Return the size of a zip's index in bytes, without reading it.

    Raises `zipfile.BadZipFile` if there is none, and `OSError` if the file cannot be read.
    """
    with path.open("rb") as file:
        return _find_index(file)[1]


def read_entry(path: Path, entry: ZipEntry, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of an entry, at most a photo's limit, whatever size the zip claims.

    Each call reopens the zip, which takes microseconds and lets threads read in parallel.

    Raises `PhotoError` if the entry cannot be read.
    """
    _check_readable(entry)
    most = limits.max_bytes
    if entry.unpacked_bytes > most or entry.packed_bytes > most + _GROWTH_BYTES:
        raise too_large(limits)
    try:
        with path.open("rb") as file:
            _seek_content(file, entry)
            packed = _read_exactly(file, entry.packed_bytes)
        data = packed if entry.method == zipfile.ZIP_STORED else _inflate(packed, most + 1)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise PhotoError(Reason.CORRUPT, f"the photo is damaged in the zip ({error})") from None
    except OSError as error:
        raise PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error.strerror})") from None
    if len(data) > most:
        raise too_large(limits)
    if zlib.crc32(data) != entry.crc:
        raise PhotoError(Reason.CORRUPT, "the photo is damaged in the zip (its checksum differs)")
    return data


def open_entry(path: Path, entry: ZipEntry) -> BinaryIO:
    """Open an entry as a stream, in bounded memory. The caller closes it.

    Raises `PhotoError` for an unsupported entry, and `OSError` and `zipfile.BadZipFile` for a damaged zip.
    Reading raises these and `zlib.error`.
    """
    _check_readable(entry)
    file = path.open("rb")
    try:
        _seek_content(file, entry)
    except BaseException:
        file.close()
        raise
    return io.BufferedReader(_EntryStream(file, entry), _PIECE_BYTES)


class _EntryStream(io.RawIOBase):
    """The content of an entry. Its checksum is verified at the end."""

    def __init__(self, file: BinaryIO, entry: ZipEntry) -> None:
        self._file = file
        self._entry = entry
        self._left = entry.packed_bytes
        self._inflater = None if entry.method == zipfile.ZIP_STORED else zlib.decompressobj(-zlib.MAX_WBITS)
        self._pending = b""
        self._crc = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer).cast("B")
        data = self._next(len(target))
        target[: len(data)] = data
        self._crc = zlib.crc32(data, self._crc)
        if not data and self._crc != self._entry.crc:
            raise zipfile.BadZipFile("its checksum differs")
        return len(data)

    def _next(self, most: int) -> bytes:
        while True:
            if not self._pending and self._left:
                self._pending = _read_exactly(self._file, min(_PIECE_BYTES, self._left))
                self._left -= len(self._pending)
            if self._inflater is None:
                data, self._pending = self._pending[:most], self._pending[most:]
                return data
            data = self._inflater.decompress(self._pending, most)
            self._pending = self._inflater.unconsumed_tail
            if data or self._inflater.eof or not (self._left or self._pending):
                return data

    def close(self) -> None:
        self._file.close()
        super().close()


def _check_readable(entry: ZipEntry) -> None:
    if entry.is_link:
        raise PhotoError(Reason.UNREADABLE, "it is a link in the zip, which is not followed")
    if entry.is_encrypted:
        raise PhotoError(Reason.UNREADABLE, "it is encrypted in the zip")
    if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise PhotoError(Reason.UNREADABLE, "the zip uses a compression method that hangtag does not read")


def _seek_content(file: BinaryIO, entry: ZipEntry) -> None:
    file.seek(entry.offset)
    head = file.read(_LOCAL_HEAD.size)
    if len(head) < _LOCAL_HEAD.size or not head.startswith(LOCAL_MARK):
        raise zipfile.BadZipFile("it is not where the index says")
    name_length, extra_length = _LOCAL_HEAD.unpack(head)[-2:]
    file.seek(name_length + extra_length, 1)


def _read_exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise zipfile.BadZipFile("the zip is cut off")
    return data


def _inflate(packed: bytes, most: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)


def _iter_index(file: BinaryIO) -> Iterator[ZipEntry]:
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
    """Return the start of the index, its length, and the offset of the zip in the file."""
    # There is only one way to find the index. With another, a crafted file could show other entries than elsewhere.
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


def _end_of(entry: ZipEntry) -> int:
    """Return the earliest possible end of an entry; its name and extra fields may make it longer."""
    return entry.offset + _LOCAL_HEAD.size + entry.packed_bytes


def _check_overlaps(file: BinaryIO) -> None:
    """Raise if entries overlap, as in zip bombs.

    If the index is in the order of the entries, no list of all entries is needed.
    """
    starts, ends = array("Q"), array("Q")
    for entry in _iter_index(file):
        starts.append(entry.offset)
        ends.append(_end_of(entry))
    order = sorted(range(len(starts)), key=starts.__getitem__)
    for place, following in pairwise(order):
        if starts[following] < ends[place]:
            raise zipfile.BadZipFile("its entries overlap")


def _build_entry(fields: tuple[int, ...], name: bytes, extra: bytes, shift: int) -> ZipEntry:
    _, _, made_on, _, flags, method, _, _, crc, packed, size = fields[:11]
    external, offset = fields[16:]
    further = dict(_iter_fields(extra))
    size, packed, offset = _widen(further.get(_ZIP64_FIELD, b""), size, packed, offset)
    return ZipEntry(
        name=_decode_name(name, flags, further.get(_UNICODE_PATH_FIELD, b"")),
        method=method,
        is_encrypted=bool(flags & _ENCRYPTED),
        is_link=made_on == _MADE_ON_UNIX and stat.S_ISLNK(external >> 16),
        crc=crc,
        packed_bytes=packed,
        unpacked_bytes=size,
        offset=offset + shift,
    )


def _iter_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Iterate the extra fields of an entry, with their ids."""
    rest = memoryview(extra)
    while len(rest) >= struct.calcsize("<HH"):
        kind, length = struct.unpack_from("<HH", rest)
        yield kind, bytes(rest[4 : 4 + length])
        rest = rest[4 + length :]


def _widen(wide: bytes, *values: int) -> tuple[int, ...]:
    """Take the values that do not fit in 32 bits from the ZIP64 field."""
    given = iter(struct.unpack_from(f"<{len(wide) // 8}Q", wide))
    return tuple(next(given, value) if value == _IN_ZIP64 else value for value in values)


def _decode_name(name: bytes, flags: int, unicode_path: bytes) -> str:
    """Decode a name. Many systems write UTF-8 without declaring it; Windows uses backslashes and code pages."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        text = name.decode("utf-8", "backslashreplace") if flags & _NAMES_ARE_UTF8 else _guess(name)
    if len(unicode_path) > 5 and unicode_path[1:5] == zlib.crc32(name).to_bytes(4, "little"):  # noqa: PLR2004
        text = unicode_path[5:].decode("utf-8", "replace")
    return text if "/" in text else text.replace("\\", "/")


def _guess(name: bytes) -> str:
    """Decode a name with the code page that makes it look most like words."""
    texts = [name.decode(page, "replace") for page in _CODE_PAGES]
    return min(texts, key=_oddity)


def _oddity(text: str) -> int:
    """Count what words do not contain: symbols, capitals after lower-case letters, two scripts."""
    stem = text.rpartition("/")[2].rpartition(".")[0] or text
    odd = 0
    for before, sign in zip(" " + text, text, strict=False):
        if not sign.isascii():
            odd += 2 * (
                not sign.isalpha() or not unicodedata.name(sign, "?").startswith(("LATIN", "CYRILLIC"))
            )
            odd += before.islower() and sign.isupper()
    scripts = {unicodedata.name(sign, "?").split()[0] for sign in stem if sign.isalpha()}
    return odd + len(scripts) - 1
