"""The figures, as plain functions of arrays. Classes are integers; numpy is all they need."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

CALIBRATION_BINS: Final = 15
_Z_95: Final = 1.959963984540054
"""The two-sided 95 % point of the normal distribution."""


def share(hits: Bools) -> float:
    """Return the share of true values, shape (n,); NaN of none."""
    return float(np.mean(hits)) if len(hits) else math.nan


def wilson_interval(hits: int, support: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927). Of nothing, everything is possible: (0, 1)."""
    if support == 0:
        return (0.0, 1.0)
    rate, square = hits / support, _Z_95 * _Z_95
    centre = (rate + square / (2 * support)) / (1 + square / support)
    spread = math.sqrt(rate * (1 - rate) / support + square / (4 * support * support))
    half = _Z_95 * spread / (1 + square / support)
    # At the ends the formula is exact, and rounding is not.
    return (0.0 if hits == 0 else centre - half, 1.0 if hits == support else centre + half)


def macro_f1(truth: Ints, answers: Ints) -> float:
    """Return the mean F1 over the classes that occur in `truth`, shape (n,) each; NaN of none.

    A class that is only ever answered, and never true, has no F1 of its own; its wrong answers count against
    the classes that were missed.
    """
    classes = np.unique(truth)
    if not len(classes):
        return math.nan
    scores = []
    for label in classes:
        true, answered = truth == label, answers == label
        scores.append(2 * np.sum(true & answered) / (np.sum(true) + np.sum(answered)))
    return float(np.mean(scores))


def expected_calibration_error(confidence: Floats, hits: Bools, bins: int = CALIBRATION_BINS) -> float:
    """Return how far confidence lies from accuracy, on average (Guo et al. 2017); NaN of none.

    Confidences (0 to 1, shape (n,)) fall into `bins` equal bins, open below and closed above; the answer is
    the mean of |accuracy - mean confidence| over the bins, weighted by their size.
    """
    if not len(confidence):
        return math.nan
    position = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(position, weights=hits.astype(np.float64) - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))
