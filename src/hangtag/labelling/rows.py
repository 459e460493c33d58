"""From the `Predictions` of one model or several to rows of the table."""

from collections.abc import Sequence

from hangtag.domain.columns import MODEL
from hangtag.inference.frames import build_columns
from hangtag.inference.predictions import Predictions
from hangtag.labelling.layout import Layout
from hangtag.tables.cells import Cell, as_kind
from hangtag.tables.writing import Rows


def build_rows(batch: Sequence[Predictions], layout: Layout) -> Rows:
    """Return the rows of a batch: for each photo a row for each model, in the order of the layout's models."""
    tables = [
        _build_rows(predictions, model, layout)
        for predictions, model in zip(batch, layout.models, strict=True)
    ]
    if len(tables) == 1:
        return tables[0]
    return {
        name: [cell for cells in zip(*(table[name] for table in tables), strict=True) for cell in cells]
        for name in layout.kinds
    }


def _build_rows(predictions: Predictions, model: str, layout: Layout) -> Rows:
    """Return the rows of one model; columns that it does not answer stay empty."""
    extra = predictions.extra or ({},) * len(predictions)
    titles = layout.given_names
    given = {
        titles[name]: [as_kind(values.get(name), kind) for values in extra] for name, kind in layout.given
    }
    found = build_columns(predictions, layout.top_k) | {MODEL: [model] * len(predictions)}
    empty: list[Cell] = [None] * len(predictions)
    return {name: given[name] if name in given else found.get(name, empty) for name in layout.kinds}
