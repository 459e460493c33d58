"""Rows as Arrow record batches, and as Parquet: typed columns for those who continue with the table in a program."""

from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from hangtag.tables.cells import Cell, Kind
from hangtag.tables.writing import Kinds, Rows

ROWS_PER_GROUP: Final = 32_768
"""How many rows are buffered before a row group is written: small groups make a table slow to read."""

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
    """Turns rows into record batches and back. No value changes on the way.

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
        """Append a record batch of the same columns."""
        self._buffered.append(batch)
        self._buffered_rows += batch.num_rows
        if self._buffered_rows >= ROWS_PER_GROUP:
            self._write_group()

    def finish(self) -> None:
        """Write the last row group and the footer."""
        self._write_group()
        self._writer.close()

    def discard(self) -> None:
        """Close the writer; its file is not kept."""
        self._buffered.clear()
        self._writer.close()

    def _write_group(self) -> None:
        if self._buffered_rows:
            table = pa.Table.from_batches(self._buffered, self._arrow.schema)
            self._writer.write_table(table.combine_chunks())  # many small batches are slow to write
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
