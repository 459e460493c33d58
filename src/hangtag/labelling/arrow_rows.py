"""Rows as Arrow record batches: what a job keeps, and what Parquet is written from."""

from typing import Any, Final

import pyarrow as pa

from hangtag.labelling.layout import Cell, Kind, Layout, Rows

_CANDIDATE: Final = pa.struct([pa.field("label", pa.string()), pa.field("confidence", pa.float32())])
_TYPES: Final = {
    Kind.TEXT: pa.string(),
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
    """Turns the rows of a layout into record batches and back. No value changes on the way.

    `schema` has a field for each column: text, float32 confidences, lists of codes, candidates as lists of
    (label, confidence).
    """

    def __init__(self, layout: Layout) -> None:
        self._kinds = layout.kinds
        self.schema = pa.schema([(name, _TYPES[kind]) for name, kind in self._kinds.items()])

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


def _array(cells: list[Cell], kind: Kind) -> Any:  # noqa: ANN401 - as above
    if kind is not Kind.CANDIDATES:
        return pa.array(cells, _TYPES[kind])
    lists = [
        [{"label": label, "confidence": confidence} for label, confidence in cell]
        if isinstance(cell, list)
        else None
        for cell in cells
    ]
    return pa.array(lists, _TYPES[kind])


def _cells(column: Any, kind: Kind) -> list[Cell]:  # noqa: ANN401 - as above
    values: list[Any] = column.to_pylist()
    if kind is Kind.NAMES:
        return [None if cell is None else tuple(cell) for cell in values]
    if kind is Kind.CANDIDATES:
        return [
            None if cell is None else [(one["label"], one["confidence"]) for one in cell] for cell in values
        ]
    return values
