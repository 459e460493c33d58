"""From a model's scores to what the API says of a photo."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card, HeadCard
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import PhotoError
from hangtag.inference.scores import Scores
from hangtag.inference.probabilities import rank
from hangtag.server.schemas import ChosenLabel, FailedPhoto, Label, LabelledPhoto
from hangtag.server.settings import Settings


@dataclass(frozen=True, slots=True)
class AnswerStyle:
    """How much an answer says: candidates for each label, all probabilities, and what counts as doubtful.

    `thresholds` are confidences by column.
    """

    thresholds: Mapping[str, float]
    top_k: int = 5
    probabilities: bool = False


def doubt_thresholds(card: Card, settings: Settings) -> dict[str, float]:
    """Return by column the confidence under which an answer is doubtful: the card's, else that of the settings."""
    usual = {
        column: settings.doubt_threshold_category if column in CATEGORY_COLUMNS else settings.doubt_threshold
        for column in card.columns
    }
    return {
        head.column: usual[head.column] if head.threshold is None else head.threshold for head in card.heads
    }


def build_answers(
    names: Sequence[str],
    errors: Sequence[PhotoError | None],
    scores: Scores,
    card: Card,
    style: AnswerStyle,
) -> list[LabelledPhoto | FailedPhoto]:
    """Return an answer for each photo, in order. `scores` hold those photos that have no error."""
    labelled = _iter_labels(scores, card, style)
    answers: list[LabelledPhoto | FailedPhoto] = []
    for name, error in zip(names, errors, strict=True):
        if error is None:
            labels, probabilities = next(labelled)
            answers.append(_answer(name, labels, probabilities, style))
        else:
            answers.append(
                FailedPhoto.model_construct(
                    photo=name, status="failed", reason=error.reason, detail=error.detail
                )
            )
    return answers


def _answer(
    name: str,
    labels: dict[str, ChosenLabel],
    probabilities: dict[str, list[Label]] | None,
    style: AnswerStyle,
) -> LabelledPhoto:
    # The values come from a model and not from outside, so that checking them again would only cost time.
    return LabelledPhoto.model_construct(
        photo=name,
        status="labelled",
        path=[labels[column].value for column in CATEGORY_COLUMNS if column in labels],
        labels=labels,
        probabilities=probabilities,
        doubtful=[column for column, label in labels.items() if label.confidence < style.thresholds[column]],
    )


def _iter_labels(
    scores: Scores, card: Card, style: AnswerStyle
) -> Iterator[tuple[dict[str, ChosenLabel], dict[str, list[Label]] | None]]:
    """Yield the chosen labels of each photo and, where asked for, all of its probabilities."""
    by_column = {head.column: _rank_head(head, scores, style.top_k) for head in card.heads}
    all_labels = (
        {head.column: _rank_head(head, scores, len(head.classes)) for head in card.heads}
        if style.probabilities
        else None
    )
    for row in range(len(next(iter(scores.chosen.values())))):
        chosen = {}
        for column, rows in by_column.items():
            first = rows[row][0]
            chosen[column] = ChosenLabel.model_construct(
                value=first.value, confidence=first.confidence, candidates=rows[row]
            )
        sorted_labels = None
        if all_labels is not None:
            sorted_labels = {
                column: sorted(rows[row], key=lambda label: -label.confidence)
                for column, rows in all_labels.items()
            }
        yield chosen, sorted_labels


def _rank_head(head: HeadCard, scores: Scores, top_k: int) -> list[list[Label]]:
    """Return the candidates of each photo, the chosen one first."""
    probabilities = scores.probabilities[head.column]
    ranked = rank(probabilities, scores.chosen[head.column], top_k)
    confidences: npt.NDArray[np.float32] = np.take_along_axis(probabilities, ranked, axis=1)
    return [
        [
            Label.model_construct(value=head.classes[index], confidence=confidence)
            for index, confidence in zip(indices, values, strict=True)
        ]
        for indices, values in zip(ranked.tolist(), confidences.tolist(), strict=True)
    ]
