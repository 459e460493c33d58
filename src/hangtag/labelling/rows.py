"""From a batch of answers to rows of the table, a column at a time."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card, HeadCard
from hangtag.domain.taxonomy import format_path
from hangtag.imaging.visibility import Flagged
from hangtag.inference.probabilities import rank
from hangtag.inference.scores import Scores
from hangtag.inference.sureness import category_levels, count_sure_levels, list_flags
from hangtag.labelling.label import LabelledBatch
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
    Cell,
    Layout,
    Rows,
    as_kind,
    candidates_of,
    confidence_of,
)

_NO_COLUMNS: Final[dict[str, list[Cell]]] = {}


def build_rows(batch: LabelledBatch, cards: Mapping[str, Card], layout: Layout) -> Rows:
    """Return the rows of a batch: for each photo a row for each model. `cards` are the models' by name."""
    tables = [
        _rows_of_one(batch, model, (scores, quality), layout)
        for model, scores, quality in zip(cards.items(), batch.scores, batch.quality, strict=True)
    ]
    if len(tables) == 1:
        return tables[0]
    return {name: _interleave([table[name] for table in tables]) for name in layout.kinds}


def _rows_of_one(
    batch: LabelledBatch, model: tuple[str, Card], answers: tuple[Scores, Flagged], layout: Layout
) -> Rows:
    (name, card), (scores, quality) = model, answers
    rows: Rows = _given_columns(batch, layout)
    rows[PATH] = list(batch.names)
    if layout.compares_models:
        rows[MODEL] = [name] * len(batch.names)
    rows[STATUS] = [LABELLED if reason is None else FAILED for reason in batch.reasons]
    rows[REASON] = [None if reason is None else reason.value for reason in batch.reasons]
    good = np.array([position for position, reason in enumerate(batch.reasons) if reason is None], np.int64)
    for column in layout.label_columns:
        known = column in card.columns
        answered = _answers(card.head(column), scores, layout.top_k) if known else _NO_COLUMNS
        for part in _columns_of(column, layout):
            rows[part] = _spread(answered.get(part, []), good, len(batch.names))
    for part, cells in {
        **_sure_answers(scores, card),
        FLAGS: list[Cell](list_flags(scores, card, quality)),
    }.items():
        rows[part] = _spread(cells, good, len(batch.names))
    return rows


def _given_columns(batch: LabelledBatch, layout: Layout) -> Rows:
    """Return the columns that came with the photos; None for photos that came without."""
    carried = batch.carried or ({},) * len(batch.names)
    names = layout.given_names
    return {
        names[name]: [as_kind(values.get(name), kind) for values in carried] for name, kind in layout.given
    }


def _columns_of(column: str, layout: Layout) -> tuple[str, ...]:
    names = (column, confidence_of(column))
    return (*names, candidates_of(column)) if layout.top_k > 1 else names


def _answers(head: HeadCard, scores: Scores, top_k: int) -> dict[str, list[Cell]]:
    """Return the values of one head's columns for the photos that were answered."""
    probabilities, chosen = scores.probabilities[head.column], scores.chosen[head.column]
    classes = head.classes
    confidence = np.take_along_axis(probabilities, chosen[:, None], axis=1)[:, 0].tolist()
    answers: dict[str, list[Cell]] = {
        head.column: [classes[index] for index in chosen.tolist()],
        confidence_of(head.column): confidence,
    }
    if top_k > 1:
        ranked = rank(probabilities, chosen, top_k)
        values = np.take_along_axis(probabilities, ranked, axis=1).tolist()
        answers[candidates_of(head.column)] = [
            [(classes[index], value) for index, value in zip(indices, row, strict=True)]
            for indices, row in zip(ranked.tolist(), values, strict=True)
        ]
    return answers


def _sure_answers(scores: Scores, card: Card) -> dict[str, list[Cell]]:
    """Return the values of the answer's columns for the photos that were answered."""
    levels = category_levels(card)
    depths = count_sure_levels(scores, card).tolist()
    chosen = (
        zip(*(scores.chosen[level].tolist() for level in levels), strict=True)
        if levels
        else [()] * len(depths)
    )
    classes = [card.head(level).classes for level in levels]
    answers = [
        format_path([names[index] for names, index in zip(classes, path[:depth], strict=False)])
        for path, depth in zip(chosen, depths, strict=True)
    ]
    return {
        ANSWER: [answer or None for answer in answers],
        ANSWER_LEVEL: [levels[depth - 1] if depth else None for depth in depths],
    }


def _spread(values: list[Cell], positions: npt.NDArray[np.int64], length: int) -> list[Cell]:
    """Return a column in which the values stand at their positions and None everywhere else."""
    if len(values) == length:
        return values
    if not values:
        return [None] * length
    column: list[Cell] = [None] * length
    for position, value in zip(positions.tolist(), values, strict=True):
        column[position] = value
    return column


def _interleave(columns: list[list[Cell]]) -> list[Cell]:
    return [cell for cells in zip(*columns, strict=True) for cell in cells]
