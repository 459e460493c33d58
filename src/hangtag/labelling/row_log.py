"""A file of rows that only grows, and of which every whole entry can be read after a crash at any moment.

An entry is a record batch: its length and CRC-32 (4 bytes each, little-endian), then the message that Arrow's own
format (IPC) has for it. A process that is killed leaves at most one entry that is cut off. A machine that loses its
power may also leave a tail of zeros or of old bytes. Reading ends at the first entry that is not whole.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa

_HEAD: Final = struct.Struct("<II")


class RowLog:
    """A log, open to append. What is not whole at its end is cut off first. `rows` says how many it holds."""

    def __init__(self, path: Path, schema: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        self.path = path
        self.rows = 0
        self._file = path.open("ab")
        whole = 0
        with path.open("rb") as file:
            for batch in _iter_whole(file, schema):
                self.rows += batch.num_rows
                whole = file.tell()
        self._file.truncate(whole)

    def append(self, batch: Any) -> None:  # noqa: ANN401 - as above
        """Add a record batch that holds rows. From here on the end of this process cannot lose it."""
        message = batch.serialize()
        self._file.write(_HEAD.pack(message.size, zlib.crc32(message)))
        self._file.write(message)
        self._file.flush()
        self.rows += batch.num_rows

    def make_durable(self) -> None:
        """Wait until the disk has all of it. From here on the end of the machine cannot lose it."""
        if not self._file.closed:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def iter_log(path: Path, schema: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield the record batches of a log, up to the first that is not whole."""
    with path.open("rb") as file:
        yield from _iter_whole(file, schema)


def _iter_whole(file: BinaryIO, schema: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        length, checksum = _HEAD.unpack(head)
        # A length of zero is a tail of zeros, whose checksum would be right.
        if not length or length > os.fstat(file.fileno()).st_size - file.tell():
            return
        message = file.read(length)
        if zlib.crc32(message) != checksum:
            return
        yield pa.ipc.read_record_batch(pa.py_buffer(message), schema)
