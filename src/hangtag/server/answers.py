"""From `Predictions` to the API's values for each photo."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hangtag.bundle.card import Card
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.inference.predictions import Predictions
from hangtag.server.settings import Settings


@dataclass(frozen=True, slots=True)
class AnswerStyle:
    """The details of a response: the number of candidates, whether to include all probabilities, and the thresholds.

    `thresholds` are the confidences by column below which a label is doubtful.
    """

    thresholds: Mapping[str, float]
    top_k: int = 5
    probabilities: bool = False


def doubt_thresholds(card: Card, settings: Settings) -> dict[str, float]:
    """Return by column the confidence below which a label is doubtful: from the card, or else from the settings.

    A category level that cannot reach the card's target accuracy is always doubtful, so answers end above it.
    """
    category = settings.doubt_threshold_category if card.target_accuracy is None else math.inf
    usual = {
        column: category if column in CATEGORY_COLUMNS else settings.doubt_threshold
        for column in card.columns
    }
    return {
        head.column: usual[head.column] if head.threshold is None else head.threshold for head in card.heads
    }


def describe_photos(predictions: Predictions, style: AnswerStyle) -> list[dict[str, Any]]:
    """Return the API's value for each photo, in order: the fields of `LabelledPhoto` or `FailedPhoto`.

    They are plain values: validating an object for each label would take as long as the network.
    """
    if not predictions.is_labelled.any():  # ranking the candidates of no photos takes as long as of a few
        return [_describe_failure(predictions, row) for row in range(len(predictions))]
    columns = [_describe_column(predictions, column, style.top_k) for column in predictions.columns]
    every = [_sort_all(predictions, column) for column in predictions.columns if style.probabilities]
    doubts = [
        (predictions.confidence(column) < np.float64(style.thresholds[column])).tolist()
        for column in predictions.columns
    ]
    rows = zip(
        predictions.names,
        predictions.paths,
        predictions.answers,
        predictions.answer_levels,
        predictions.flags,
        strict=True,
    )
    return [
        {
            "photo": name,
            "status": "labelled",
            "path": path,
            "answer": answer,
            "answer_level": level,
            "flags": [flag.value for flag in flags],
            "labels": {column: rows[row] for column, rows in zip(predictions.columns, columns, strict=True)},
            "probabilities": {
                column: rows[row] for column, rows in zip(predictions.columns, every, strict=True)
            }
            if every
            else None,
            "doubtful": [
                column
                for column, is_doubtful in zip(predictions.columns, doubts, strict=True)
                if is_doubtful[row]
            ],
        }
        if predictions.reasons[row] is None
        else _describe_failure(predictions, row)
        for row, (name, path, answer, level, flags) in enumerate(rows)
    ]


def _describe_failure(predictions: Predictions, row: int) -> dict[str, Any]:
    return {
        "photo": predictions.names[row],
        "status": "failed",
        "reason": predictions.reasons[row],
        "detail": predictions.details[row],
    }


def _describe_column(predictions: Predictions, column: str, top_k: int) -> list[dict[str, Any]]:
    """Return the chosen label of each photo, with its candidates."""
    return [{**candidates[0], "candidates": candidates} for candidates in _rank(predictions, column, top_k)]


def _rank(predictions: Predictions, column: str, top_k: int) -> list[list[dict[str, Any]]]:
    """Return the candidates of each photo, the chosen one first."""
    classes = predictions.card.head(column).classes
    indices, confidences = predictions.top_k(column, top_k)
    return [
        [
            {"value": classes[index], "confidence": confidence}
            for index, confidence in zip(row, values, strict=True)
        ]
        for row, values in zip(indices.tolist(), confidences.tolist(), strict=True)
    ]


def _sort_all(predictions: Predictions, column: str) -> list[list[dict[str, Any]]]:
    """Return all classes of each photo, the most probable one first."""
    ranked = _rank(predictions, column, len(predictions.card.head(column).classes))
    return [sorted(labels, key=lambda label: -label["confidence"]) for labels in ranked]
