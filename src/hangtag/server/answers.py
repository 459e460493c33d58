"""From `Predictions` to what the API says of each photo."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hangtag.bundle.card import Card
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.inference.predictions import Predictions
from hangtag.server.schemas import ChosenLabel, FailedPhoto, Label, LabelledPhoto
from hangtag.server.settings import Settings


@dataclass(frozen=True, slots=True)
class AnswerStyle:
    """How much an answer says: how many candidates, whether all probabilities, and what counts as doubtful.

    `thresholds` are confidences by column.
    """

    thresholds: Mapping[str, float]
    top_k: int = 5
    probabilities: bool = False


def doubt_thresholds(card: Card, settings: Settings) -> dict[str, float]:
    """Return by column the confidence under which an answer is doubtful: the card's, else that of the settings.

    A level of the category that cannot reach the card's target accuracy is always doubtful: the answer ends above it.
    """
    category = settings.doubt_threshold_category if card.target_accuracy is None else math.inf
    usual = {
        column: category if column in CATEGORY_COLUMNS else settings.doubt_threshold
        for column in card.columns
    }
    return {
        head.column: usual[head.column] if head.threshold is None else head.threshold for head in card.heads
    }


def build_answers(predictions: Predictions, style: AnswerStyle) -> list[LabelledPhoto | FailedPhoto]:
    """Return what the API says of each photo, in order."""
    chosen = {column: _rank(predictions, column, style.top_k) for column in predictions.columns}
    every = {column: _sort_all(predictions, column) for column in predictions.columns if style.probabilities}
    columns = zip(
        predictions.paths, predictions.answers, predictions.answer_levels, predictions.flags, strict=True
    )
    answers: list[LabelledPhoto | FailedPhoto] = []
    for row, (path, answer, level, flags) in enumerate(columns):
        if predictions.reasons[row] is not None:
            answers.append(_describe_failure(predictions, row))
            continue
        labels = {
            column: ChosenLabel.model_construct(
                value=ranked[row][0].value, confidence=ranked[row][0].confidence, candidates=ranked[row]
            )
            for column, ranked in chosen.items()
        }
        # The values come from a model, so validating them again would only cost time.
        answers.append(
            LabelledPhoto.model_construct(
                photo=predictions.names[row],
                status="labelled",
                path=list(path),
                answer=list(answer),
                answer_level=level,
                flags=list(flags),
                labels=labels,
                probabilities={column: rows[row] for column, rows in every.items()} or None,
                doubtful=[
                    column for column, label in labels.items() if label.confidence < style.thresholds[column]
                ],
            )
        )
    return answers


def _describe_failure(predictions: Predictions, row: int) -> FailedPhoto:
    return FailedPhoto.model_construct(
        photo=predictions.names[row],
        status="failed",
        reason=predictions.reasons[row],
        detail=predictions.details[row],
    )


def _rank(predictions: Predictions, column: str, top_k: int) -> list[list[Label]]:
    """Return the candidates of each photo, the chosen one first."""
    classes = predictions.card.head(column).classes
    indices, confidences = predictions.top_k(column, top_k)
    return [
        [
            Label.model_construct(value=classes[index], confidence=confidence)
            for index, confidence in zip(row, values, strict=True)
        ]
        for row, values in zip(indices.tolist(), confidences.tolist(), strict=True)
    ]


def _sort_all(predictions: Predictions, column: str) -> list[list[Label]]:
    """Return all classes of each photo, the most probable one first."""
    ranked = _rank(predictions, column, len(predictions.card.head(column).classes))
    return [sorted(labels, key=lambda label: -label.confidence) for labels in ranked]
