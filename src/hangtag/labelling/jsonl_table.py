"""Labels as JSON Lines: one object a row, all columns in every one, null where there is no value."""

import datetime as dt
import json
import math
from typing import Any, BinaryIO

from hangtag.labelling.layout import Cell, Kind, Layout, Rows


class JsonlTable:
    """Writes rows as JSON objects; confidences have four decimals, candidates are a list of objects."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._file = file
        self._kinds = layout.kinds

    def write(self, rows: Rows) -> None:
        """Append rows."""
        columns = [[_value(cell, kind) for cell in rows[name]] for name, kind in self._kinds.items()]
        records = (dict(zip(self._kinds, cells, strict=True)) for cells in zip(*columns, strict=True))
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        self._file.write(text.encode("utf-8"))

    def finish(self) -> None:
        """Do nothing: every row is written when it comes."""

    def discard(self) -> None:
        """Do nothing: nothing is held."""


def _value(cell: Cell, kind: Kind) -> Any:  # noqa: ANN401 - any JSON value
    if kind is Kind.CONFIDENCE and isinstance(cell, float):
        return round(cell, 4)
    if isinstance(cell, float) and not math.isfinite(cell):
        return None  # JSON has no word for it
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, tuple):
        return list(cell)
    if isinstance(cell, list):
        return [{"label": label, "confidence": round(confidence, 4)} for label, confidence in cell]
    return cell
