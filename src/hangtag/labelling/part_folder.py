"""A folder of finished rows: complete parts, which never change, and the log of the part being filled.

`part-00000.parquet`, `part-00001.parquet` … are the parts; `_part-00002.rows` is the log. Which photos are finished is
recorded nowhere else, so nothing can contradict the rows. `docs/how-predict-works.md` describes the order of steps, and
why no crash loses or repeats a row.

The log only grows, and after a crash every complete entry can be read. An entry is a record batch: its length and
CRC-32 (4 bytes each, little-endian), then the message in Arrow's IPC format. A process that is killed leaves at most
one truncated entry. A machine that loses its power may also leave a tail of zeros or of old bytes. Reading ends at the
first incomplete entry.
"""

import contextlib
import os
import re
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hangtag.domain.columns import FAILED, MODEL, PATH, STATUS
from hangtag.domain.durable import replacing, sync_folder
from hangtag.domain.errors import UsageError
from hangtag.labelling.finished import FinishedPhotos, keys_of
from hangtag.labelling.outputs import Layout
from hangtag.labelling.plan import ROWS_A_PART
from hangtag.tables.parquet import ArrowRows, ParquetWriter
from hangtag.tables.writing import Rows

_HEAD: Final = struct.Struct("<II")


class RowLog:
    """A log, open to append. An incomplete end is cut off first. `rows` is the number of rows in it."""

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
        """Add a record batch that holds rows. After this, the end of the process cannot lose it."""
        message = batch.serialize()
        self._file.write(_HEAD.pack(message.size, zlib.crc32(message)))
        self._file.write(message)
        self._file.flush()
        self.rows += batch.num_rows

    def make_durable(self) -> None:
        """Wait until all of it is on the disk. After this, a power failure cannot lose it."""
        if not self._file.closed:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def iter_log(path: Path, schema: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield the record batches of a log, up to the first incomplete one."""
    with path.open("rb") as file:
        yield from _iter_whole(file, schema)


def _iter_whole(file: BinaryIO, schema: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        length, checksum = _HEAD.unpack(head)
        # A length of zero is a tail of zeros; its checksum would be valid.
        if not length or length > os.fstat(file.fileno()).st_size - file.tell():
            return
        message = file.read(length)
        if zlib.crc32(message) != checksum:
            return
        yield pa.ipc.read_record_batch(pa.py_buffer(message), schema)


_BATCH_ROWS: Final = 8192
"""How many rows of a part are read at a time."""

_PART: Final = re.compile(r"part-(\d{5,})\.parquet")
_LOG: Final = re.compile(r"_part-(\d{5,})\.rows")
_UNFINISHED: Final = ".*.part"  # the names that `replacing` gives to incomplete files


class PartFolder:
    """The rows in a folder, open to write more. Only one process may use it at a time.

    Opening it repairs what a crash has left behind.
    """

    def __init__(self, folder: Path, layout: Layout, rows_a_part: int = ROWS_A_PART) -> None:
        self.folder = folder
        self._layout = layout
        self._arrow = ArrowRows(layout.kinds)
        self._rows_a_part = rows_a_part
        self._log: RowLog | None = None
        self._pace = _Pace()
        self._tidy()

    @property
    def parts(self) -> list[Path]:
        """The files of the complete parts, in order."""
        return [path for _, path in sorted(_numbered(self.folder, _PART))]

    @property
    def photos(self) -> int:
        """How many photos have their rows."""
        rows = sum(map(self._count_rows, self.parts))
        return (rows + (self._log.rows if self._log else 0)) // len(self._layout.models)

    def write(self, rows: Rows) -> None:
        """Add rows. After this, they survive the end of the process and, a second later, a power failure."""
        if self._log is None:
            number = max((number for number, _ in _numbered(self.folder, _PART)), default=-1) + 1
            self._log = RowLog(self.folder / f"_part-{number:05}.rows", self._arrow.schema)
        self._log.append(self._arrow.pack(rows))
        if self._log.rows >= self._rows_a_part:
            self.complete_part()
        elif self._pace.is_time():
            self.make_durable()

    def make_durable(self) -> None:
        """Wait until all rows are on the disk."""
        if self._log is not None:
            with self._pace:
                self._log.make_durable()
                sync_folder(self.folder)

    def complete_part(self) -> None:
        """Turn the rows in the log into a part, if there are any."""
        if self._log is None:
            return
        number = int(_LOG.fullmatch(self._log.path.name)[1])  # type: ignore[index] # we named it
        self._write_part(
            self.folder / f"part-{number:05}.parquet", iter_log(self._log.path, self._arrow.schema)
        )
        self._log.close()
        self._log.path.unlink()  # the part is on the disk under its name and replaces the log
        self._log = None

    def iter_batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """Yield all rows as record batches in the order they were written, with all columns or some."""
        for path in self.parts:
            yield from self._iter_part(path, columns)
        if self._log is not None:
            for batch in iter_log(self._log.path, self._arrow.schema):
                yield batch if columns is None else batch.select(list(columns))

    def iter_rows(self, columns: Sequence[str] | None = None) -> Iterator[Rows]:
        """Yield all rows, as `iter_batches` does."""
        return (self._arrow.unpack(batch) for batch in self.iter_batches(columns))

    def read_finished(self) -> FinishedPhotos:
        """Return which photos have their rows."""
        given = self._layout.given_names.values()
        columns = [*given, PATH, *([MODEL] if self._layout.compares_models else [])]
        keys = np.empty(self.photos, np.uint64)
        filled = 0
        for batch in map(self._of_one_model, self.iter_batches(columns)):
            values = zip(*(batch[name].to_pylist() for name in given), strict=True) if given else repeat(())
            found = keys_of(batch[PATH].to_pylist(), values)
            keys[filled : filled + len(found)] = found
            filled += len(found)
        return FinishedPhotos(keys, self._layout.given)

    def drop_failed(self) -> None:
        """Drop the rows of failed photos, which are then no longer finished."""
        self.complete_part()
        for path in self.parts:
            statuses = (batch[STATUS] for batch in self._iter_part(path, [STATUS]))
            if any(pc.any(pc.equal(status, FAILED)).as_py() for status in statuses):
                self._write_part(path, map(_without_failed, self._iter_part(path)))

    def close(self) -> None:
        """Close the log; its rows stay."""
        if self._log is not None:
            self._log.close()

    def _count_rows(self, path: Path) -> int:
        with _reading(path):
            rows: int = pq.read_metadata(path).num_rows
        return rows

    def _iter_part(self, path: Path, columns: Sequence[str] | None = None) -> Iterator[Any]:
        with _reading(path), pq.ParquetFile(path) as file:
            if file.schema_arrow.names != self._arrow.schema.names:
                raise pa.ArrowInvalid("its columns differ")
            yield from file.iter_batches(_BATCH_ROWS, columns=columns)

    def _of_one_model(self, batch: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return one row for each photo. A photo has one row per model."""
        if not self._layout.compares_models:
            return batch
        return batch.filter(pc.equal(batch[MODEL], self._layout.models[0]))

    def _write_part(self, path: Path, batches: Iterator[Any]) -> None:
        with replacing(path) as temporary, temporary.open("wb") as file:
            table = ParquetWriter(file, self._layout.kinds)
            try:
                for batch in batches:
                    table.write_batch(batch)
                table.finish()
            except BaseException:
                table.discard()
                raise

    def _tidy(self) -> None:
        """Remove incomplete files, and a log whose part is complete. Open the log that is continued."""
        for path in self.folder.glob(_UNFINISHED):
            path.unlink()
        complete = {number for number, _ in _numbered(self.folder, _PART)}
        for number, path in sorted(_numbered(self.folder, _LOG)):
            if number in complete:
                path.unlink()
            else:
                self._log = RowLog(path, self._arrow.schema)


def holds_rows(folder: Path) -> bool:
    """Return whether a folder has rows."""
    logs = any(path.stat().st_size for _, path in _numbered(folder, _LOG))
    return logs or any(_numbered(folder, _PART))


def remove_rows(folder: Path) -> None:
    """Remove all rows from a folder."""
    for pattern in (_PART, _LOG):
        for _, path in _numbered(folder, pattern):
            path.unlink()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Add the part's name to the error if a part cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UsageError(
            f"this part of the job's rows is damaged ({str(error).splitlines()[0]})",
            where=path,
            fix="Put the file back from a copy, or start again with `restart`.",
        ) from error


class _Pace:
    """Tells when a task is due that should run every second but take at most a fiftieth of the time."""

    def __init__(self) -> None:
        self._wait = 1.0
        self._ended = time.monotonic()

    def is_time(self) -> bool:
        return time.monotonic() - self._ended >= self._wait

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._ended = time.monotonic()
        self._wait = max(1.0, 50 * (self._ended - self._began))


def _numbered(folder: Path, pattern: re.Pattern[str]) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir() if folder.exists() else ():  # a job without rows has no folder
        if found := pattern.fullmatch(path.name):
            yield int(found[1]), path


def _without_failed(batch: Any) -> Any:  # noqa: ANN401 - as above
    return batch.filter(pc.not_equal(batch[STATUS], FAILED))
