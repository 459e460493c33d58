"""The metrics, as plain functions of numpy arrays. Classes are integers."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

CALIBRATION_BINS: Final = 15


def share(hits: Bools) -> float:
    """Return the share of true values, shape (n,); NaN if n is 0."""
    return float(np.mean(hits)) if len(hits) else math.nan


def macro_f1(truth: Ints, answers: Ints) -> float:
    """Return the mean F1 over the classes that occur in `truth`, shape (n,) each; NaN if n is 0.

    A class that is predicted but never true has no F1 of its own; its wrong predictions count against the classes
    that were missed.
    """
    classes = np.unique(truth)
    if not len(classes):
        return math.nan
    scores = []
    for label in classes:
        true, answered = truth == label, answers == label
        scores.append(2 * np.sum(true & answered) / (np.sum(true) + np.sum(answered)))
    return float(np.mean(scores))


def confusion_counts(truth: Ints, answers: Ints) -> Ints:
    """Return the non-zero cells of the confusion matrix: rows (true, predicted, count), shape (cells, 3).

    They are sorted; `truth` and `answers` have the shape (n,).
    """
    pairs, counts = np.unique(np.stack([truth, answers], axis=1), axis=0, return_counts=True)
    return np.column_stack([pairs, counts])


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The figures of each label, shape (labels,).

    `support` counts where it is true, `answered` where it was predicted. NaN: the precision of a label that was never
    predicted, the recall and the F1 of one that is never true.
    """

    support: Ints
    answered: Ints
    precision: Floats
    recall: Floats
    f1: Floats


def class_scores(truth: Ints, answers: Ints, labels: int) -> ClassScores:
    """Return the figures of each of `labels` labels; `truth` and `answers` have the shape (n,)."""
    hits = np.bincount(truth[truth == answers], minlength=labels)
    support, answered = np.bincount(truth, minlength=labels), np.bincount(answers, minlength=labels)
    return ClassScores(
        support,
        answered,
        precision=_ratio(hits, answered, defined=answered > 0),
        recall=_ratio(hits, support, defined=support > 0),
        f1=_ratio(2 * hits, support + answered, defined=support > 0),
    )


def _ratio(parts: Ints, wholes: Ints, *, defined: Bools) -> Floats:
    ratio: Floats = np.divide(parts, wholes, out=np.full(len(parts), math.nan), where=defined)
    return ratio


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The predictions with a confidence over `low` and up to `high`: their number, mean confidence and accuracy."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability_bins(
    confidence: Floats, hits: Bools, bins: int = CALIBRATION_BINS
) -> tuple[ReliabilityBin, ...]:
    """Return the non-empty bins, the least confident first.

    Confidences (0 to 1, shape (n,)) fall into `bins` equal bins, open below and closed above.
    """
    position = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(position, minlength=bins)
    sums = (np.bincount(position, weights=values, minlength=bins) for values in (confidence, hits))
    mean_confidence, accuracy = (
        np.divide(total, count, where=count > 0, out=np.zeros(bins)) for total in sums
    )
    return tuple(
        ReliabilityBin(
            low=index / bins,
            high=(index + 1) / bins,
            count=int(count[index]),
            confidence=float(mean_confidence[index]),
            accuracy=float(accuracy[index]),
        )
        for index in np.flatnonzero(count)
    )


def expected_calibration_error(confidence: Floats, hits: Bools, bins: int = CALIBRATION_BINS) -> float:
    """Return how far confidence differs from accuracy, on average (Guo et al. 2017); NaN if n is 0.

    It is the mean of |accuracy - mean confidence| over the `reliability_bins`, weighted by their size.
    """
    if not len(confidence):
        return math.nan
    found = reliability_bins(confidence, hits, bins)
    return math.fsum(part.count * abs(part.accuracy - part.confidence) for part in found) / len(confidence)
