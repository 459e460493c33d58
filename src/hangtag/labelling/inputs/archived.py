"""Photos in archives: a zip is read at random positions, a tar in one pass. Nothing is unpacked to disk."""

import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from hangtag.archives.members import Membership, sort_member
from hangtag.archives.zips import LOCAL_MARK, NoIndexError, ZipEntry, iter_entries, read_entry
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits, too_large
from hangtag.labelling.inputs.photo import (
    BrokenInput,
    Extra,
    FaultyPhoto,
    InputPhoto,
    name_member,
    no_extra,
)
from hangtag.labelling.inputs.prefetch import ByteStore, KeptBytes


@dataclass(frozen=True, slots=True)
class ZipPhoto:
    """A photo in a zip. Any number of threads may read at once."""

    archive: str
    entry: ZipEntry
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """The path of the zip, a slash, and the photo's name in the zip. It is only text and never opened as a path."""
        return name_member(self.archive, self.entry.name)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        return read_entry(Path(self.archive), self.entry, limits)


@dataclass
class ZipWalk:
    """The photos of a zip in the order of its index, which is read during the walk.

    If the index is damaged, an entry with the reason follows the photos that were found.
    """

    path: str
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        self.other_files = 0
        try:
            with Path(self.path).open("rb") as file:
                start = file.read(len(LOCAL_MARK))
                if not start:
                    yield BrokenInput(self.path, PhotoError(Reason.EMPTY))
                    return
                for entry in iter_entries(file):
                    membership = sort_member(entry.name)
                    if membership is Membership.PHOTO:
                        yield ZipPhoto(self.path, entry)
                    self.other_files += membership is Membership.OTHER
        except OSError as error:
            yield BrokenInput(self.path, PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error})"))
        except (zipfile.BadZipFile, struct.error) as error:
            is_cut_off = isinstance(error, NoIndexError) and start == LOCAL_MARK
            reason = Reason.TRUNCATED if is_cut_off else Reason.CORRUPT
            yield BrokenInput(self.path, PhotoError(reason, f"the zip cannot be read ({error})"))

    def count(self) -> int:
        """Count the photos, in a separate walk through the index."""
        return sum(1 for _ in ZipWalk(self.path))


_MAX_HEADER_BYTES: Final = 1 << 20
"""The size limit of a member's header. Longer names or attributes are only in crafted files, to fill the memory."""

_MAX_DICTIONARY_BYTES: Final = 128 << 20
"""The memory limit for unpacking an .xz file; `xz -9` needs half of it."""

_BLOCK: Final = 512
_PIECE_BYTES: Final = 1 << 20

_DAMAGE: Final = (tarfile.TarError, EOFError, ValueError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class TarPhoto:
    """A photo in an uncompressed tar, read in place. Any number of threads may read at once."""

    archive: str
    member: str
    offset: int
    length: int
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """The path of the tar, a slash, and the photo's name in the tar. It is only text and never opened as a path."""
        return name_member(self.archive, self.member)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        if self.length > limits.max_bytes:
            raise too_large(limits)
        try:
            with Path(self.archive).open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.length)
        except OSError as error:
            raise PhotoError(Reason.UNREADABLE, f"the tar cannot be read ({error.strerror})") from None
        if len(data) < self.length:
            raise PhotoError(Reason.TRUNCATED, "the tar is cut off")
        return data


@dataclass(frozen=True, slots=True)
class UnpackedPhoto:
    """A photo of a compressed tar, which can only be read sequentially. Its bytes are kept until they are read."""

    name: str
    kept: KeptBytes
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    def read(self, _limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes. Works only once, as the bytes are not kept after that."""
        return self.kept.take()


@dataclass
class TarWalk:
    """The photos of a tar in its order. Links, sparse files and devices are entries with a reason.

    If the tar is damaged or cut off, an entry with the reason follows the photos that were found.
    """

    path: str
    store: ByteStore = field(default_factory=ByteStore)
    limits: DecodeLimits = DEFAULT_LIMITS
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        self.other_files = 0
        stream: _Stream | None = None
        try:
            if not Path(self.path).stat().st_size:
                yield BrokenInput(self.path, PhotoError(Reason.EMPTY))
                return
            with closing(_open_stream(self.path)) as stream:
                yield from self._walk(stream)
        except (*_DAMAGE, OSError) as error:
            reason = _reason_of(error, has_run_out=stream is not None and stream.has_run_out)
            yield BrokenInput(self.path, PhotoError(reason, f"the tar cannot be read further ({error})"))

    def count(self) -> None:
        """Return None: a tar has no index."""

    def _walk(self, stream: "_Stream") -> Iterator[InputPhoto]:
        with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # the library keeps them all, for random access
                membership = sort_member(member.name)
                if member.isdir() or membership is Membership.IGNORED:
                    continue
                if membership is Membership.OTHER:
                    self.other_files += 1
                else:
                    yield self._photo(stream, member)
        if not stream.has_ended:
            yield BrokenInput(
                self.path, PhotoError(Reason.TRUNCATED, "the tar has no end; it may be cut off")
            )

    def _photo(self, stream: "_Stream", member: tarfile.TarInfo) -> InputPhoto:
        name = name_member(self.path, member.name)
        if not member.isreg() or member.issparse():
            return FaultyPhoto(name, PhotoError(Reason.UNREADABLE, "it is not a regular file in the tar"))
        if stream.is_plain:
            return TarPhoto(self.path, member.name, member.offset_data, member.size)
        if member.size > self.limits.max_bytes:
            return FaultyPhoto(name, too_large(self.limits))
        stream.seek(member.offset_data)
        return UnpackedPhoto(name, self.store.keep(stream.read_data(member.size)))


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


@dataclass
class _Stream:
    """The stream that `tarfile` reads: forward only, and refuses headers that would fill the memory."""

    source: _Readable
    is_plain: bool
    position: int = 0
    has_ended: bool = False
    has_run_out: bool = False

    def tell(self) -> int:
        return self.position

    def seek(self, position: int) -> None:
        if self.is_plain:
            cast("BinaryIO", self.source).seek(position)
            self.position = position
        while self.position < position:
            if not self.read_data(min(_PIECE_BYTES, position - self.position)):
                raise EOFError("it is cut off")

    def read(self, size: int) -> bytes:
        """Read a header. A complete tar ends with a block of zeros."""
        if size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header claims {size:,} bytes")
        data = self.read_data(size)
        self.has_ended = len(data) == _BLOCK and not any(data)
        return data

    def read_data(self, size: int) -> bytes:
        """Read `size` bytes, or fewer at the end."""
        pieces = []
        while size > 0 and (piece := self.source.read(min(_PIECE_BYTES, size))):
            pieces.append(piece)
            size -= len(piece)
            self.position += len(piece)
        self.has_run_out = size > 0
        return b"".join(pieces)

    def close(self) -> None:
        self.source.close()


def _reason_of(error: Exception, *, has_run_out: bool) -> Reason:
    """Return what is wrong with a tar that could not be read to its end."""
    if isinstance(error, OSError) and error.errno:  # errors of decompressors have no errno
        return Reason.UNREADABLE
    if isinstance(error, lzma.LZMAError) and "limit" in str(error):
        return Reason.TOO_EXPENSIVE
    is_cut_off = has_run_out or isinstance(error, EOFError) or "Truncated" in str(error)  # zstd's message
    return Reason.TRUNCATED if is_cut_off else Reason.CORRUPT


def _open_zstd(path: str) -> _Readable:
    import pyarrow as pa  # noqa: PLC0415 - it takes long to import, and Python has no zstd of its own before 3.14

    return cast("_Readable", pa.input_stream(path, compression="zstd"))


def _open_gzip(path: str) -> _Readable:
    return gzip.open(path, "rb")


def _open_bz2(path: str) -> _Readable:
    return bz2.open(path, "rb")


def _open_xz(path: str) -> _Readable:
    return _XzFile(path)


class _XzFile:
    """An .xz file with bounded memory. A file may claim a dictionary of 4 GiB, which Python's own reader allocates."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115 - closed by `close`
        self._unpacker = self._start()
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._unpacker.eof:  # several streams may follow each other, padded with zeros
                self._rest = (self._unpacker.unused_data or self._file.read(_PIECE_BYTES)).lstrip(b"\0")
                if not self._rest:
                    return b""
                self._unpacker = self._start()
            elif self._unpacker.needs_input:
                self._rest = self._rest or self._file.read(_PIECE_BYTES)
                if not self._rest:
                    raise EOFError("it is cut off")
            packed, self._rest = self._rest, b""
            data = self._unpacker.decompress(packed, size)
            if data:
                return data

    def close(self) -> None:
        self._file.close()

    @staticmethod
    def _start() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=_MAX_DICTIONARY_BYTES)


_COMPRESSED: Final[Mapping[str, Callable[[str], _Readable]]] = {
    ".tar.gz": _open_gzip,
    ".tgz": _open_gzip,
    ".tar.bz2": _open_bz2,
    ".tbz2": _open_bz2,
    ".tar.xz": _open_xz,
    ".txz": _open_xz,
    ".tar.zst": _open_zstd,
    ".tzst": _open_zstd,
}

TAR_ENDINGS: Final = (".tar", *_COMPRESSED)
"""The file name endings of tars."""


def _open_stream(path: str) -> _Stream:
    for ending, opener in _COMPRESSED.items():
        if path.lower().endswith(ending):
            return _Stream(opener(path), is_plain=False)
    return _Stream(Path(path).open("rb"), is_plain=True)
