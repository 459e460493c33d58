"""From `Predictions` to rows of the table, a column at a time."""

from collections.abc import Sequence

from hangtag.domain.taxonomy import format_path
from hangtag.inference.predictions import Predictions
from hangtag.labelling.layout import (
    ANSWER,
    ANSWER_LEVEL,
    FAILED,
    FLAGS,
    LABELLED,
    MODEL,
    PATH,
    REASON,
    STATUS,
    Layout,
    candidates_of,
    confidence_of,
)
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
    return {name: _interleave([table[name] for table in tables]) for name in layout.kinds}


def _build_rows(predictions: Predictions, model: str, layout: Layout) -> Rows:
    rows: Rows = _extra_columns(predictions, layout)
    rows[PATH] = list(predictions.names)
    if layout.compares_models:
        rows[MODEL] = [model] * len(predictions)
    rows[STATUS] = [LABELLED if reason is None else FAILED for reason in predictions.reasons]
    rows[REASON] = [None if reason is None else reason.value for reason in predictions.reasons]
    for column in layout.label_columns:
        if column in predictions.columns:
            rows |= _label_columns(predictions, column, layout.top_k)
        else:
            rows |= {name: [None] * len(predictions) for name in _columns_of(column, layout)}
    flags: list[Cell] = list(predictions.flags)
    return rows | {
        ANSWER: [format_path(answer) or None for answer in predictions.answers],
        ANSWER_LEVEL: list[Cell](predictions.answer_levels),
        FLAGS: _only_labelled(flags, predictions),
    }


def _extra_columns(predictions: Predictions, layout: Layout) -> Rows:
    """Return the columns that came with the photos; None for photos that came without."""
    extra = predictions.extra or ({},) * len(predictions)
    names = layout.given_names
    return {names[name]: [as_kind(values.get(name), kind) for values in extra] for name, kind in layout.given}


def _columns_of(column: str, layout: Layout) -> tuple[str, ...]:
    names = (column, confidence_of(column))
    return (*names, candidates_of(column)) if layout.top_k > 1 else names


def _label_columns(predictions: Predictions, column: str, top_k: int) -> Rows:
    rows: Rows = {
        column: list[Cell](predictions.labels(column)),
        confidence_of(column): _only_labelled(predictions.confidence(column).tolist(), predictions),
    }
    if top_k > 1:
        classes = predictions.card.head(column).classes
        indices, confidences = predictions.top_k(column, top_k)
        candidates: list[Cell] = [
            [(classes[index], value) for index, value in zip(row, values, strict=True)]
            for row, values in zip(indices.tolist(), confidences.tolist(), strict=True)
        ]
        rows[candidates_of(column)] = _only_labelled(candidates, predictions)
    return rows


def _only_labelled(cells: list[Cell], predictions: Predictions) -> list[Cell]:
    """Return a column in which a photo without labels has no value."""
    return [cell if reason is None else None for cell, reason in zip(cells, predictions.reasons, strict=True)]


def _interleave(columns: list[list[Cell]]) -> list[Cell]:
    return [cell for cells in zip(*columns, strict=True) for cell in cells]
