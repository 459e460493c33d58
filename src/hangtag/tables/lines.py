"""Splitting a table's bytes into lines: encoding, byte order mark, line ends. Uses bounded memory."""

import codecs
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

from hangtag.domain.errors import TableError

BLOCK_BYTES: Final = 1 << 20
_LOOKED_AT: Final = 200
MAX_LINE_LENGTH: Final = 1_000_000
"""Longer lines are cut here, so that a file without line ends cannot fill the memory."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose byte order mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Line(NamedTuple):
    """One line without its end. `recoded`: it was not UTF-8 and was read as Windows-1252."""

    number: int
    text: str
    recoded: bool


def iter_lines(stream: BinaryIO, where: object = None) -> Iterator[Line]:
    """Iterate the lines of a table, counted from 1. Lines end in LF, CR or CRLF.

    Raises `TableError` if the stream is cut short.
    """
    number = 0
    try:
        for block in _iter_blocks(_iter_utf8(stream)):
            for text, recoded in _decode(block):
                number += 1
                yield Line(number, text, recoded)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        problem = f"the table cannot be read beyond line {number} ({error})"
        raise TableError(problem, where=where) from error


def _iter_utf8(stream: BinaryIO) -> Iterator[bytes]:
    """Iterate the bytes after a byte order mark. UTF-16 and UTF-32 are converted to UTF-8."""
    first = stream.read(BLOCK_BYTES)
    mark, encoding = next(
        ((m, e) for m, e in _BYTE_ORDER_MARKS if first.startswith(m)), (b"", guess_encoding(first))
    )
    if encoding == "utf-8":
        yield first.removeprefix(mark)
        while chunk := stream.read(BLOCK_BYTES):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    chunk = first
    while chunk:
        yield decoder.decode(chunk).encode()
        chunk = stream.read(BLOCK_BYTES)
    yield decoder.decode(b"", final=True).encode()


def guess_encoding(start: bytes) -> str:
    """Guess the encoding of text without a byte order mark: UTF-16 if every other byte is zero, else UTF-8."""
    start = start[:_LOOKED_AT]
    if start[1::2].count(0) * 3 > len(start):
        return "utf-16-le"
    return "utf-16-be" if start[::2].count(0) * 3 > len(start) else "utf-8"


def _iter_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Iterate blocks of whole lines, joined by line feeds, without the final line feed."""
    carry = held = b""
    for read in chunks:
        chunk = held + read
        held = b"\r" if chunk.endswith(b"\r") else b""  # the next chunk may start with its line feed
        chunk = chunk.removesuffix(held)
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, found, tail = chunk.rpartition(b"\n")
        if found:
            yield carry + head
            carry = tail
        else:
            carry = (carry + chunk)[: MAX_LINE_LENGTH + 1]
    if carry or held:
        yield carry


def _decode(block: bytes) -> Iterator[tuple[str, bool]]:
    try:
        texts = block.decode().split("\n")
    except UnicodeDecodeError:
        yield from map(_decode_line, block.split(b"\n"))
    else:
        for text in texts:
            yield text, False


def _decode_line(line: bytes) -> tuple[str, bool]:
    try:
        return line.decode(), False
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace"), True
