"""A table that no file holds as it is: its rows are written as CSV while they are read."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final

from hangtag.tables.tables import csv_writer

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK_CHARACTERS: Final = 1 << 18


def stream_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> BinaryIO:
    """Return the rows as the bytes of a CSV file, in bounded memory. What the rows raise, reading raises."""
    return io.BufferedReader(_Chunks(_iter_chunks(header, rows)))


def _iter_chunks(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv_writer(buffer)
    writer.writerow(header)
    for row in rows:
        writer.writerow(row)
        if buffer.tell() > CHUNK_CHARACTERS:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


class _Chunks(io.RawIOBase):
    """A stream of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while not self._rest:
            try:
                self._rest = memoryview(next(self._chunks))
            except StopIteration:
                return 0
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
