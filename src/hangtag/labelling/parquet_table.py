"""Labels as Parquet: typed columns, compressed, for those who go on with the table in a program."""

from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from hangtag.labelling.arrow_rows import ArrowRows
from hangtag.labelling.layout import Layout, Rows

ROWS_A_GROUP: Final = 32_768
"""How many rows are held back before a row group is written: small groups make a table slow to read."""


class ParquetTable:
    """Writes rows as Parquet, with the types of `ArrowRows`."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._arrow = ArrowRows(layout)
        self._writer = pq.ParquetWriter(file, self._arrow.schema, compression="zstd")
        self._held: list[Any] = []
        self._held_rows = 0

    def write(self, rows: Rows) -> None:
        """Append rows."""
        self.write_batch(self._arrow.pack(rows))

    def write_batch(self, batch: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        """Append a record batch of the layout's columns."""
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
        if self._held_rows:
            table = pa.Table.from_batches(self._held, self._arrow.schema)
            self._writer.write_table(table.combine_chunks())  # many small batches are slow to write
        self._held, self._held_rows = [], 0
