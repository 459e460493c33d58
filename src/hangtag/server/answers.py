"""From a model's scores to what the API says of a photo."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card, HeadCard
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import PhotoError
from hangtag.domain.flags import Flag
from hangtag.imaging.visibility import Flagged
from hangtag.inference.probabilities import rank
from hangtag.inference.scores import Scores
from hangtag.inference.sureness import category_levels, count_sure_levels, list_flags
from hangtag.server.schemas import ChosenLabel, FailedPhoto, Label, LabelledPhoto
from hangtag.server.settings import Settings

_Found = tuple[dict[str, ChosenLabel], dict[str, list[Label]] | None]
"""The labels of a photo by column and, where asked for, all of its probabilities."""


@dataclass(frozen=True, slots=True)
class AnswerStyle:
    """How much an answer says: candidates for each label, all probabilities, and what counts as doubtful.

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


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers to some photos, in order: why each has none (or None), and the scores and flags of all others."""

    errors: tuple[PhotoError | None, ...]
    scores: Scores
    quality: Flagged


def build_answers(
    names: Sequence[str], answered: Answered, card: Card, style: AnswerStyle
) -> list[LabelledPhoto | FailedPhoto]:
    """Return what the API says of each photo, in order."""
    scores = answered.scores
    labelled = zip(
        _iter_labels(scores, card, style),
        count_sure_levels(scores, card).tolist(),
        list_flags(scores, card, answered.quality),
        strict=True,
    )
    levels = category_levels(card)
    answers: list[LabelledPhoto | FailedPhoto] = []
    for name, error in zip(names, answered.errors, strict=True):
        if error is None:
            (labels, probabilities), sure, flags = next(labelled)
            sureness = _Sureness(levels, sure, flags)
            answers.append(_answer(name, (labels, probabilities), sureness, style))
        else:
            answers.append(
                FailedPhoto.model_construct(
                    photo=name, status="failed", reason=error.reason, detail=error.detail
                )
            )
    return answers


@dataclass(frozen=True, slots=True)
class _Sureness:
    """Of how many levels of a photo's path the model is sure, and what is wrong with the photo."""

    levels: tuple[str, ...]
    sure: int
    flags: tuple[Flag, ...]


def _answer(name: str, found: _Found, sureness: _Sureness, style: AnswerStyle) -> LabelledPhoto:
    labels, probabilities = found
    sure = sureness.levels[: sureness.sure]
    # The values come from a model and not from outside, so that checking them again would only cost time.
    return LabelledPhoto.model_construct(
        photo=name,
        status="labelled",
        path=[labels[level].value for level in sureness.levels],
        answer=[labels[level].value for level in sure],
        answer_level=sure[-1] if sure else None,
        flags=list(sureness.flags),
        labels=labels,
        probabilities=probabilities,
        doubtful=[column for column, label in labels.items() if label.confidence < style.thresholds[column]],
    )


def _iter_labels(scores: Scores, card: Card, style: AnswerStyle) -> Iterator[_Found]:
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
