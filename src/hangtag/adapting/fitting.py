"""How a head learns a shop: a linear shift of its logits, with a penalty on changes for the base's photos.

The loss is that of logistic regression on the shop's labels, with the head's own logits as the offset. The penalty is
the mean square of the shift over the base's photos, which follows exactly from their mean and covariance: directions in
which base photos vary are expensive, those in which only the shop's photos vary are cheap. That is a Gaussian prior, or
elastic weight consolidation (Kirkpatrick et al., PNAS 2017) in closed form. Why this one: `docs/decisions/`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.heads import HeadShift
from hangtag.bundle.statistics import EmbeddingStatistics

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

OFFSET_WEIGHT: Final = 0.5
"""The weight of a head's own logits. On photos unlike its training photos, it is over-confident."""

PENALTY: Final = 0.3
"""The penalty on a shift for the base's photos, per label of the shop."""

_RIDGE: Final = 0.3
_SCALE: Final = 3.0  # the root mean square length of a base photo's embedding after scaling
_STEPS: Final = 15
_MORE_STEPS: Final = 6  # when starting from the shift for almost the same labels
_MEMORY: Final = 6
_CONVERGED: Final = 1e-4
_TINY: Final = 1e-12
_UNLIKELY: Final = 0.005
_NEW_CLASS_BEHIND: Final = 2.0  # the initial logit of a new class, below the best one
_NEW_CLASS_WORTH: Final = (2.0, 4.0)  # the weight of an example of a new class; rarer classes weigh more


class BaseMetric:
    """The mean and covariance of the base's photos, decomposed once: the penalty for shifting a head."""

    def __init__(self, statistics: EmbeddingStatistics) -> None:
        values, axes = np.linalg.eigh(statistics.covariance)
        self.axes: Floats = axes.astype(np.float32)
        self.variances: Floats = np.maximum(values, 0).astype(np.float32)
        self._scale = np.float32(np.sqrt(max(float(values.sum()), 1e-12)) / _SCALE)
        self._values = self.variances / self._scale**2
        self._mean = statistics.mean

    def rotate(self, embedding: Floats) -> Floats:
        """Return embeddings (n, d) in the principal axes of the base's photos, around their mean."""
        return (((embedding - self._mean) / self._scale) @ self.axes).astype(np.float32, copy=False)

    def scale(self, rotated: Floats, strength: float) -> "ScaledFeatures":
        """Return features scaled for a fit in which a shift for the base's photos has the penalty `strength`."""
        cost = np.sqrt(strength * self._values + _RIDGE).astype(np.float32)
        constant = np.full((len(rotated), 1), 1 / np.sqrt(max(strength, _RIDGE)), np.float32)
        return ScaledFeatures(np.hstack([rotated / cost, constant]), cost, float(constant[0, 0]))

    def unfold(self, scaled: "ScaledFeatures", solution: Floats) -> tuple[Floats, Floats]:
        """Return weights (classes, d) and bias (classes,) on plain embeddings for a solution on scaled features."""
        weights = (self.axes @ (solution[:-1] / scaled.cost[:, None]) / self._scale).T
        bias = solution[-1] * np.float32(scaled.constant) - weights @ self._mean
        return np.ascontiguousarray(weights, np.float32), bias.astype(np.float32)

    def fold(self, scaled: "ScaledFeatures", weights: Floats, bias: Floats) -> Floats:
        """Return the solution on scaled features for weights and bias on plain embeddings: the inverse of `unfold`."""
        moved = bias + weights @ self._mean
        turned = (weights @ self.axes).T * self._scale * scaled.cost[:, None]
        solution: Floats = np.vstack([turned, moved / scaled.constant]).astype(np.float32)
        return solution


@dataclass(frozen=True, slots=True)
class ScaledFeatures:
    """Features (n, d + 1) in which every shift has the same penalty: divided by `cost` (d,); the last is constant."""

    features: Floats
    cost: Floats
    constant: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a head learns from.

    `rotated` holds n embeddings (n, d) from `BaseMetric.rotate`, `logits` (n, known) the unchanged head's, and
    `targets` (n,) class indices below `classes`; those from `known` on are new.
    """

    rotated: Floats
    logits: Floats
    targets: Ints
    classes: int


def fit_shift(
    metric: BaseMetric, labelled: Labelled, penalty: float = PENALTY, start: HeadShift | None = None
) -> HeadShift:
    """Return the shift of a head that has learned labelled photos. `penalty` is the penalty per label.

    `start` is a shift for most of these photos, or a smaller penalty, from which fewer steps are needed.
    """
    rotated, logits, targets, classes = labelled.rotated, labelled.logits, labelled.targets, labelled.classes
    known = logits.shape[1]
    offset = widen_logits(logits, classes) * np.float32(OFFSET_WEIGHT)
    behind = np.where(np.arange(classes) < known, 0, new_class_logit(logits)).astype(np.float32)
    playing = np.union1d(np.flatnonzero(_softmax(offset).max(axis=0) > _UNLIKELY), targets)
    if start is not None:
        playing = np.union1d(playing, np.flatnonzero(start.weights.any(axis=1)))
    worth = _weigh_examples(targets, known)
    scaled = metric.scale(rotated, penalty * float(worth.sum()))
    first = np.zeros((scaled.features.shape[1], len(playing)), np.float32)
    if start is not None:
        first = metric.fold(scaled, start.weights[playing], (start.bias - behind)[playing])
        first *= np.float32(OFFSET_WEIGHT)
    steps = _STEPS if start is None else _MORE_STEPS
    regression = _Regression(scaled.features, offset[:, playing], np.searchsorted(playing, targets), worth)
    found = _minimise(regression, first, steps)
    part, shift = metric.unfold(scaled, found / np.float32(OFFSET_WEIGHT))
    weights, bias = np.zeros((classes, rotated.shape[1]), np.float32), behind
    weights[playing], bias[playing] = part, shift + behind[playing]
    return HeadShift(weights, bias, known)


def widen_logits(logits: Floats, classes: int) -> Floats:
    """Return logits (n, known) with columns for new classes, (n, classes)."""
    n, known = logits.shape
    new = np.full((n, classes - known), new_class_logit(logits), np.float32)
    return np.hstack([logits, new])


def new_class_logit(logits: Floats) -> np.float32:
    """Return the initial logit of a new class: slightly below the best logit of a typical photo."""
    if not logits.size:
        return np.float32(0)
    return np.float32(np.median(logits.max(axis=1)) - _NEW_CLASS_BEHIND / OFFSET_WEIGHT)


def _weigh_examples(targets: Ints, known: int) -> Floats:
    """Return the weight of each example, (n,). New classes weigh more, so that the known ones do not dominate."""
    worth = np.ones(len(targets), np.float32)
    if known:
        counts = np.bincount(targets)
        usual = len(targets) / np.count_nonzero(counts)
        is_new = targets >= known
        worth[is_new] = np.clip(usual / counts[targets[is_new]], *_NEW_CLASS_WORTH)
    return worth


@dataclass(frozen=True, slots=True)
class _Regression:
    """A logistic regression: features (n, k), offsets (n, classes), targets (n,), and the weight of each row."""

    features: Floats
    offset: Floats
    targets: Ints
    worth: Floats

    def evaluate(self, solution: Floats) -> tuple[float, Floats]:
        """Return the penalised loss of a solution (k, classes), and its gradient."""
        rows = np.arange(len(self.targets))
        shares = _softmax(self.offset + self.features @ solution)
        likely = np.log(np.maximum(shares[rows, self.targets], 1e-30))
        shares[rows, self.targets] -= 1
        shares *= self.worth[:, None]
        loss = -float(np.dot(likely, self.worth)) + 0.5 * float(np.vdot(solution, solution))
        return loss, self.features.T @ shares + solution


def _minimise(regression: _Regression, solution: Floats, steps: int) -> Floats:
    """Return the solution (k, classes) of a penalised logistic regression: L-BFGS (Liu, Nocedal 1989)."""
    loss, slope = regression.evaluate(solution)
    first = float(np.linalg.norm(slope))
    past: list[tuple[Floats, Floats]] = []
    for _ in range(steps):
        if np.linalg.norm(slope) <= _CONVERGED * max(first, 1.0):
            break
        direction = _direction(slope, past)
        step, downhill = (1.0 if past else 1.0 / max(1.0, first)), float(np.vdot(slope, direction))
        while True:
            moved = solution + np.float32(step) * direction
            next_loss, next_slope = regression.evaluate(moved)
            if next_loss <= loss + 1e-4 * step * downhill or step < 1e-6:  # noqa: PLR2004 - Armijo's rule
                break
            step /= 3
        past = [*past[-_MEMORY + 1 :], (moved - solution, next_slope - slope)]
        solution, loss, slope = moved, next_loss, next_slope
    return solution


def _direction(slope: Floats, past: list[tuple[Floats, Floats]]) -> Floats:
    """Return the descent direction from the last steps."""
    direction, factors = -slope, []
    for move, change in reversed(past):
        factor = _dot(move, direction) / max(_dot(move, change), _TINY)
        factors.append(factor)
        direction = direction - np.float32(factor) * change
    if past:
        move, change = past[-1]
        direction = direction * np.float32(max(_dot(move, change), _TINY) / max(_dot(change, change), _TINY))
    for (move, change), factor in zip(past, reversed(factors), strict=True):
        back = _dot(change, direction) / max(_dot(move, change), _TINY)
        direction = direction + np.float32(factor - back) * move
    return direction


def _dot(left: Floats, right: Floats) -> float:
    return float(np.vdot(left, right))


def _softmax(logits: Floats) -> Floats:
    shares: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares
