"""Rows as Arrow record batches, and Parquet tables: written with typed columns, read batch by batch."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hangtag.domain.errors import TableError
from hangtag.tables.cells import Cell, Kind, TableRow
from hangtag.tables.reading import Opener, Table
from hangtag.tables.writing import Kinds, Rows

ROWS_PER_GROUP: Final = 32_768
"""The number of rows buffered before a row group is written. Small groups make a table slow to read."""

_CANDIDATE: Final = pa.struct([pa.field("label", pa.string()), pa.field("confidence", pa.float32())])

ARROW_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.WRITTEN: pa.string(),
    Kind.PATH: pa.string(),
    Kind.CONFIDENCE: pa.float32(),
    Kind.CANDIDATES: pa.list_(_CANDIDATE),
    Kind.NAMES: pa.list_(pa.string()),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.MOMENT: pa.timestamp("us"),
}


class ArrowRows:
    """Converts rows to record batches and back, without changing any value.

    `schema` has a field for each column: text, float32 confidences, lists of codes, candidates as lists of
    (label, confidence).
    """

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self.schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in self._kinds.items()])

    def pack(self, rows: Rows) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return rows as a record batch."""
        arrays = [_array(rows[name], kind) for name, kind in self._kinds.items()]
        return pa.record_batch(arrays, schema=self.schema)

    def unpack(self, batch: Any) -> Rows:  # noqa: ANN401 - as above
        """Return a record batch, of all columns or of some, as rows."""
        names = batch.schema.names
        return {
            name: _cells(column, self._kinds[name]) for name, column in zip(names, batch.columns, strict=True)
        }


class ParquetWriter:
    """Writes rows as Parquet, with the types of `ArrowRows`."""

    def __init__(self, file: BinaryIO, kinds: Kinds) -> None:
        self._arrow = ArrowRows(kinds)
        self._writer = pq.ParquetWriter(file, self._arrow.schema, compression="zstd")
        self._buffered: list[Any] = []
        self._buffered_rows = 0

    def write(self, rows: Rows) -> None:
        """Append rows."""
        self.write_batch(self._arrow.pack(rows))

    def write_batch(self, batch: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        """Append a record batch with the same columns."""
        self._buffered.append(batch)
        self._buffered_rows += batch.num_rows
        if self._buffered_rows >= ROWS_PER_GROUP:
            self._write_group()

    def finish(self) -> None:
        """Write the last row group and the footer."""
        self._write_group()
        self._writer.close()

    def discard(self) -> None:
        """Close the writer. Its file is not kept."""
        self._buffered.clear()
        self._writer.close()

    def _write_group(self) -> None:
        if self._buffered_rows:
            table = pa.Table.from_batches(self._buffered, self._arrow.schema)
            self._writer.write_table(table.combine_chunks())  # writing many small batches is slow
        self._buffered, self._buffered_rows = [], 0


def _array(cells: list[Cell], kind: Kind) -> Any:  # noqa: ANN401 - as above
    if kind is not Kind.CANDIDATES:
        return pa.array(cells, ARROW_TYPES[kind])
    lists = [
        [{"label": label, "confidence": confidence} for label, confidence in cell]
        if isinstance(cell, list)
        else None
        for cell in cells
    ]
    return pa.array(lists, ARROW_TYPES[kind])


def _cells(column: Any, kind: Kind) -> list[Cell]:  # noqa: ANN401 - as above
    values: list[Any] = column.to_pylist()
    if kind is Kind.NAMES:
        return [None if cell is None else tuple(cell) for cell in values]
    if kind is Kind.CANDIDATES:
        return [
            None if cell is None else [(entry["label"], entry["confidence"]) for entry in cell]
            for cell in values
        ]
    return values


_ROWS_AT_ONCE: Final = 256
"""Kept small: each row may be long, and rows that are all the same take no room in the file."""

_BUFFER_BYTES: Final = 1 << 18
_TEXT_BYTES: Final = 256 << 20
_MAX_RATIO: Final = 200
"""The largest allowed ratio of a table's text to its file size, for tables with more text than `_TEXT_BYTES`."""


class ParquetTable(Table):
    """A Parquet table. Types that other tables lack become text; lists and structs become JSON."""

    def __init__(self, opener: Opener, where: object) -> None:
        try:
            with opener() as file:
                schema = pq.read_schema(file)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"the table cannot be read ({error})", where=where) from None
        super().__init__(where, schema.names, [_kind_of(field.type) for field in schema])
        self._opener = opener
        self._types = list(schema.types)

    def holds_bytes(self, column: int) -> bool:
        """Return whether a column is binary, or a struct with a binary field, as data sets store photos."""
        kind = self._types[column]
        parts = [field.type for field in kind] if pa.types.is_struct(kind) else [kind]
        return any(pa.types.is_binary(part) or pa.types.is_large_binary(part) for part in parts)

    def __iter__(self) -> Iterator[TableRow]:
        """Iterate the rows, numbered from 1."""
        number = 0
        kinds = [column.kind for column in self.columns]
        try:
            with self._opener() as opened, pq.ParquetFile(opened, buffer_size=_BUFFER_BYTES) as file:
                for batch in file.iter_batches(_ROWS_AT_ONCE):
                    columns = [
                        _values(column, kind) for column, kind in zip(batch.columns, kinds, strict=True)
                    ]
                    for values in zip(*columns, strict=True):
                        number += 1
                        yield TableRow(number, values)
        except MemoryError:
            raise
        except (pa.ArrowException, OSError) as error:
            problem = f"the table cannot be read beyond row {number:,} ({error})"
            raise TableError(problem, where=self.where) from None

    def skim(self) -> None:
        """Unpack every page once. Raises `MemoryError` if the text is far larger than the file."""
        text_bytes = 0
        try:
            with self._opener() as opened, pq.ParquetFile(opened, buffer_size=_BUFFER_BYTES) as file:
                opened.seek(0, 2)
                most = max(_TEXT_BYTES, _MAX_RATIO * opened.tell())
                for batch in file.iter_batches(_ROWS_AT_ONCE):
                    text_bytes += sum(map(_count_text, batch.columns))
                    if text_bytes > most:
                        break
        except MemoryError:  # Arrow raises it as well
            raise
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"the table cannot be read ({error})", where=self.where) from None
        if text_bytes > most:
            raise MemoryError

    def count(self) -> int:
        """Return the number of rows that the file claims to have."""
        with self._opener() as opened, pq.ParquetFile(opened) as file:
            return int(file.metadata.num_rows)


def _count_text(column: Any) -> int:  # noqa: ANN401 - pyarrow has no types
    """Return the total length of a column's texts in bytes."""
    lengths = column.dictionary if pa.types.is_dictionary(column.type) else column
    if not (pa.types.is_string(lengths.type) or pa.types.is_large_string(lengths.type)):
        return 0
    lengths = pc.binary_length(lengths)
    if pa.types.is_dictionary(column.type):
        lengths = lengths.take(column.indices)
    return int(pc.sum(lengths).as_py() or 0)


def _kind_of(arrow_type: Any) -> Kind:  # noqa: ANN401 - pyarrow has no types
    types = pa.types
    if types.is_integer(arrow_type) and not types.is_uint64(arrow_type):
        return Kind.INTEGER
    if types.is_floating(arrow_type):
        return Kind.NUMBER
    if types.is_boolean(arrow_type):
        return Kind.BOOLEAN
    if types.is_date(arrow_type):
        return Kind.DATE
    if types.is_timestamp(arrow_type) and arrow_type.tz is None:
        return Kind.MOMENT
    return Kind.TEXT


def _values(column: Any, kind: Kind) -> list[object]:  # noqa: ANN401 - as above
    if pa.types.is_dictionary(column.type):
        entries = _values(column.dictionary, kind)  # each is in memory once, however many rows show it
        return [None if place is None else entries[place] for place in column.indices.to_pylist()]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)  # Python has no nanoseconds
    if kind is not Kind.TEXT or pa.types.is_large_string(column.type):
        column = column.cast(ARROW_TYPES[kind], safe=False)
    values: list[object] = column.to_pylist()
    return values if kind is not Kind.TEXT else [_text(value) for value in values]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dt.datetime | dt.time):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
