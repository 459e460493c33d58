"""Reading and writing the tables that stages pass to each other: CSV or Parquet, all text.

A file is written whole or not at all.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet

from hangtag.domain.durable import replacing
from hangtag.domain.errors import CatalogueError, TableError
from hangtag.domain.text import did_you_mean
from hangtag.tables.cells import Kind, render_value
from hangtag.tables.reading import Table, list_columns, open_table
from hangtag.tables.writing import render

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write a file to, as `replacing` does. The folder is created.

    Raises `CatalogueError` if the folder cannot be created or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror or error})"
        raise CatalogueError(problem, where=path, fix="Write it somewhere else.") from error


def write_json(value: Any, path: Path) -> None:  # noqa: ANN401 - whatever JSON can say
    """Write a value as indented JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


CSV_SUFFIX: Final = ".csv"
PARQUET_SUFFIXES: Final = frozenset({".parquet", ".pq"})
REPORT_SUFFIXES: Final = (".xlsx", ".jsonl")
"""Further file name endings of tables that people open."""

_REPORT_KINDS: Final = {pa.int64(): Kind.INTEGER, pa.float64(): Kind.NUMBER}
_ROWS_AT_ONCE: Final = 32_768
NUMBER_COLUMNS: Final = {"group": pa.int64()}
"""The columns of a CSV file that are not text."""


def read_table(path: Path) -> pa.Table:
    """Read a table of any supported format into memory. Empty cells are missing values.

    Parquet keeps its types and metadata. In other formats all columns except `NUMBER_COLUMNS` are text.

    Raises `CatalogueError` if the file is absent, and `TableError` if it is not a table.
    """
    if not path.is_file():
        fix = "Run `hangtag clean` or `hangtag split` first."
        raise CatalogueError("there is no such table", where=path, fix=fix)
    table = open_table(path)
    if path.suffix.lower() in PARQUET_SUFFIXES:
        try:
            return pyarrow.parquet.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"the table cannot be read ({error})", where=path) from error
    arrays = [array.combine_chunks() for array in _read_columns(table)]
    return pa.table(arrays, names=table.names)


def _read_columns(table: Table) -> list[pa.ChunkedArray]:
    chunks: list[list[pa.Array]] = [[] for _ in table.columns]
    types = [NUMBER_COLUMNS.get(name, pa.string()) for name in table.names]
    rows = (values for _, values in table)
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        for column, kind, cells in zip(chunks, types, zip(*batch, strict=True), strict=True):
            texts = [None if cell is None else render_value(cell) for cell in cells]
            try:
                column.append(pa.array(texts, pa.string()).cast(kind))
            except pa.ArrowInvalid as error:
                raise TableError(f"the table cannot be read ({error})", where=table.where) from error
    return [pa.chunked_array(column, kind) for column, kind in zip(chunks, types, strict=True)]


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table whole or not at all, as Parquet or CSV by the file name. Only Parquet keeps the metadata.

    Raises `CatalogueError` if the file name has another ending or the file cannot be written.
    """
    need_table_name(path)
    with whole_file(path) as temporary:
        if path.suffix.lower() == CSV_SUFFIX:
            _write_csv(table, temporary)
        else:
            pyarrow.parquet.write_table(table, temporary, compression="zstd")


def write_report(table: pa.Table, path: Path) -> None:
    """Write a table for people to open, whole or not at all: CSV, Excel, JSON Lines or Parquet by the file name.

    Text that a spreadsheet would interpret as a formula is escaped. Raises `CatalogueError` if the file cannot be
    written.
    """
    need_table_name(path, *REPORT_SUFFIXES)
    format_: Any = (
        "parquet" if path.suffix.lower() in PARQUET_SUFFIXES else path.suffix.lower().removeprefix(".")
    )
    kinds = {field.name: _REPORT_KINDS.get(field.type, Kind.TEXT) for field in table.schema}
    batches = (
        {name: column.to_pylist() for name, column in zip(kinds, batch.columns, strict=True)}
        for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE)
    )
    with whole_file(path) as temporary, temporary.open("wb") as file:
        for piece in render(kinds, batches, format_):
            file.write(piece)


def need_table_name(path: Path, *others: str) -> None:
    """Raise `CatalogueError` if a file name does not end like a table's, or in one of the `others`."""
    if path.suffix.lower() not in {*PARQUET_SUFFIXES, CSV_SUFFIX, *others}:
        endings = f"{', '.join((CSV_SUFFIX, *others))} or .parquet"
        raise CatalogueError(f"no table ends like this: it is written as {endings}", where=path)


def need_columns(table: pa.Table, columns: list[str], where: object) -> None:
    """Raise `CatalogueError`, naming the columns, if a table lacks some of them."""
    lacking = [column for column in columns if column not in table.column_names]
    if lacking:
        raise CatalogueError(
            f"the table has no column {' or '.join(lacking)}",
            where=where,
            fix=f"{did_you_mean(lacking[0], table.column_names)}{list_columns(table.column_names)}",
        )


def csv_writer(file: IO[str]) -> Any:  # noqa: ANN401 - csv gives its writer type no public name
    """Return a writer for the CSV dialect of hangtag: quotes where needed, lines end in LF."""
    return csv.writer(file, lineterminator="\n")


def _write_csv(table: pa.Table, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(table.column_names)
        for batch in table.to_batches(max_chunksize=65_536):
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))


CHUNK_CHARACTERS: Final = 1 << 18


def stream_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> BinaryIO:
    """Return the rows as a stream of CSV bytes, in bounded memory. Errors of the rows are raised on reading."""
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
