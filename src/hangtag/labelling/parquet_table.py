"""Labels as Parquet: typed columns, compressed, for those who go on with the table in a program."""

from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from hangtag.labelling.layout import Cell, Kind, Layout, Rows

ROWS_A_GROUP: Final = 50_000
"""How many rows are held back before a row group is written: small groups make a table slow to read."""

_CANDIDATE: Final = pa.struct([pa.field("label", pa.string()), pa.field("confidence", pa.float32())])
_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.CONFIDENCE: pa.float32(),
    Kind.CANDIDATES: pa.list_(_CANDIDATE),
}


class ParquetTable:
    """Writes rows as Parquet: text, float32 confidences, candidates as lists of (label, confidence)."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._kinds = layout.kinds
        self._schema = pa.schema([(name, _TYPES[kind]) for name, kind in self._kinds.items()])
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._held: list[Any] = []
        self._held_rows = 0

    def write(self, rows: Rows) -> None:
        """Append rows."""
        arrays = [_array(rows[name], kind) for name, kind in self._kinds.items()]
        batch = pa.record_batch(arrays, schema=self._schema)
        self._held.append(batch)
        self._held_rows += batch.num_rows
        if self._held_rows >= ROWS_A_GROUP:
            self._write_group()

    def finish(self) -> None:
        """Write the last row group and the footer."""
        self._write_group()
        self._writer.close()

    def discard(self) -> None:
        """Close the writer; its file is not kept."""
        self._held.clear()
        self._writer.close()

    def _write_group(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self._schema))
        self._held, self._held_rows = [], 0


def _array(cells: list[Cell], kind: Kind) -> Any:  # noqa: ANN401 - pyarrow has no types
    if kind is not Kind.CANDIDATES:
        return pa.array(cells, _TYPES[kind])
    lists = [
        [{"label": label, "confidence": confidence} for label, confidence in cell]
        if isinstance(cell, list)
        else None
        for cell in cells
    ]
    return pa.array(lists, _TYPES[kind])
