"""Confident learning: which given labels are probably wrong.

The method is Northcutt, Jiang and Chuang's (2021, "Confident learning: estimating uncertainty in dataset labels",
Journal of Artificial Intelligence Research 70), for one column: it needs the given labels and out-of-fold
probabilities, and no further model. In its words, i is the given class of a photo and j its true one.

1. The threshold of class j is the mean probability of j among the photos given as j. A class that the model
   finds hard has a low one.
2. The confident joint counts, for each i and j, the photos given as i whose probability of j reaches the threshold
   of j; a photo over several thresholds counts for the most probable class.
3. Calibrated, each row sums to the photos that are given as i; its cells estimate how many of them truly are j.
4. Pruned are those photos that both rules of the paper choose: by class, the least probable of i, as many as the
   row has off the diagonal; by noise rate, those whose probability of j exceeds that of i the most, as many as
   the cell has.

What the paper leaves open is decided here: a photo whose own label is the more probable one is never suspected, and
a class of few photos neither suspects nor is suspected, since its threshold is a mean of few numbers.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_EXAMPLES: Final = 20
"""A class with fewer labels is not judged: the standard error of its threshold could exceed 0.5 / sqrt(20) = 0.11."""

UNKNOWN: Final = -1
"""The class index of a label that is missing."""


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """What confident learning says of one column with C classes.

    - `judged` (n,): the photos that took part. The others have no label, one of a rare class, or one that the model
      that answered did not know.
    - `thresholds` (C,): NaN for a class that is not judged.
    - `confident_joint` (C, C): counts, given class by true class.
    - `joint` (C, C): the calibrated joint distribution; sums to 1, or to 0 where nothing was judged.
    - `suspects` (m,): positions of the photos that are probably wrong, the worst first; `suggested` (m,): their
      more probable class.
    """

    judged: Bools
    thresholds: Floats
    confident_joint: Ints
    joint: Floats
    suspects: Ints
    suggested: Ints

    @property
    def noise_rate(self) -> float:
        """The share of the judged labels that are estimated to be wrong."""
        return float(self.joint.sum() - np.trace(self.joint))


@dataclass(frozen=True, slots=True)
class ColumnNoise:
    """What is said of a column on the whole.

    `labels` are known, `judged` of them took part, `estimated_wrong` is the share of these that are probably wrong,
    `suspects` how many are named. `not_judged` lists the classes that no label of was judged.
    """

    column: str
    labels: int
    judged: int
    estimated_wrong: float
    suspects: int
    not_judged: tuple[str, ...]


def find_label_noise(
    given: Ints, probabilities: npt.NDArray[np.floating], min_examples: int = MIN_EXAMPLES
) -> LabelNoise:
    """Return the suspect labels of one column.

    `given` (n,) holds class indices or `UNKNOWN`. `probabilities` (n, C) are out of fold; NaN where the
    answering model did not know the class. A label whose class has fewer than `min_examples` of them is not judged.
    """
    classes = probabilities.shape[1]
    chances = np.where(np.isnan(probabilities), 0.0, probabilities).astype(np.float64)
    judged = given != UNKNOWN
    judged[judged] = ~np.isnan(probabilities[judged, given[judged]])
    counts = np.bincount(given[judged], minlength=classes)
    judged[judged] = counts[given[judged]] >= min_examples
    rows = np.flatnonzero(judged)
    thresholds = _find_thresholds(given[rows], chances[rows])
    confident_joint = _count_confident(given[rows], chances[rows], thresholds)
    joint = _calibrate(confident_joint, np.bincount(given[rows], minlength=classes))
    chances[:, np.isnan(thresholds)] = 0.0  # nothing is suggested that is not judged
    found, suggested = _prune(given[rows], chances[rows], joint * len(rows))
    return LabelNoise(judged, thresholds, confident_joint, joint, rows[found], suggested)


def _find_thresholds(given: Ints, chances: Floats) -> Floats:
    """Return the mean self-confidence of each class, NaN for one without photos."""
    classes = chances.shape[1]
    own = chances[np.arange(len(given)), given]
    counts = np.bincount(given, minlength=classes)
    sums = np.bincount(given, weights=own, minlength=classes)
    means: Floats = np.divide(sums, counts, out=np.full(classes, np.nan), where=counts > 0)
    return means


def _count_confident(given: Ints, chances: Floats, thresholds: Floats) -> Ints:
    classes = len(thresholds)
    # A class without a threshold is reached by nothing.
    sure = chances >= np.where(np.isnan(thresholds), np.inf, thresholds)
    some = sure.any(axis=1)
    true = np.where(sure, chances, -1.0).argmax(axis=1)
    cells = np.bincount(given[some] * classes + true[some], minlength=classes * classes)
    return cells.reshape(classes, classes)


def _calibrate(confident_joint: Ints, counts: Ints) -> Floats:
    """Return the joint distribution, whose rows sum to the shares of the given labels.

    A row without a confident photo is taken to be right: nothing speaks against it.
    """
    cells = confident_joint.astype(np.float64)
    lonely = (cells.sum(axis=1) == 0) & (counts > 0)
    cells[lonely, lonely] = 1.0
    sums = np.maximum(cells.sum(axis=1, keepdims=True), 1.0)
    joint: Floats = cells / sums * counts[:, None] / max(1, counts.sum())
    return joint


def _prune(given: Ints, chances: Floats, expected: Floats) -> tuple[Ints, Ints]:
    """Return the positions of the suspects, worst first, and the class that is suggested for each.

    `expected` (C, C) is how many photos given as i truly are j.
    """
    by_class = np.zeros(len(given), bool)
    by_rate = np.zeros(len(given), bool)
    own = chances[np.arange(len(given)), given]
    for i in np.flatnonzero(expected.sum(axis=1)):
        members = np.flatnonzero(given == i)
        wrong = expected[i].copy()
        wrong[i] = 0.0
        by_class[_lowest(members, own[members], wrong.sum())] = True
        for j in np.flatnonzero(wrong):
            by_rate[_lowest(members, own[members] - chances[members, j], wrong[j])] = True
    margins, suggested = _margins(given, chances)
    found = np.flatnonzero(by_class & by_rate & (margins < 0))
    found = found[np.argsort(margins[found], kind="stable")]
    return found, suggested[found]


def _lowest(members: Ints, values: Floats, count: float) -> Ints:
    return members[np.argsort(values, kind="stable")[: round(float(count))]]


def _margins(given: Ints, chances: Floats) -> tuple[Floats, Ints]:
    """Return the normalised margin of each photo, p(given) minus the largest other p, and the class of the latter."""
    others = chances.copy()
    others[np.arange(len(given)), given] = -np.inf
    best = others.argmax(axis=1)
    rows = np.arange(len(given))
    return chances[rows, given] - others[rows, best], best
