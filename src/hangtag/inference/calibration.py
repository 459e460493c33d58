"""Calibration on validation: temperatures, path weights, and confidence thresholds for a target accuracy.

A head has a temperature (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017). The levels
of the category path are calibrated together: each has a weight in the score of a path, and the weights are those under
which the true paths are the most likely. Measured on the first shipped model, fitted on one half of validation and
measured on the other: `docs/training.md`.

Thresholds follow the rule of selective classification (Geifman, El-Yaniv: Selective Classification for Deep Neural
Networks, NeurIPS 2017): answer as many photos as possible while the answers reach the target accuracy.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.inference.predictions import NO_LABEL, Predictions, category_levels
from hangtag.inference.probabilities import PathDecoder

Logits = Mapping[str, npt.NDArray[np.float32]]
Targets = Mapping[str, npt.NDArray[np.int64]]

_SEARCHED: Final = (np.log(0.05), np.log(20.0))
_GOLDEN: Final = (np.sqrt(5) - 1) / 2
_PRECISE: Final = 1e-5  # of the log of a temperature, or of a weight
_MAX_STEPS: Final = 60

FEWEST_PATHS: Final = 100
"""With fewer photos whose whole path is known, the levels are calibrated each for itself."""


def calibrate(card: Card, logits: Logits, targets: Targets) -> Card:
    """Return the card with temperatures and, where it has a category path, the weights of its levels.

    `logits` holds float32 (N, classes) by column, `targets` class indices (N,) or `NO_LABEL`.
    """
    weights = fit_path_weights(PathDecoder.from_card(card), logits, targets)
    fitted = fit_temperatures(card, logits, targets)
    heads = [replace(head, path_weight=weights.get(head.column)) for head in fitted.heads]
    return replace(fitted, heads=heads)


def recalibrate(card: Card, logits: Logits, targets: Targets) -> Card:
    """Return the card with new temperatures; its path weights are all multiplied by one number.

    That is what few known paths can tell. Without path weights, the card is calibrated as by `calibrate`.
    """
    paths = PathDecoder.from_card(card)
    if set(paths.weights) != set(paths.levels) or not paths.levels:
        return calibrate(card, logits, targets)
    scores = sum(
        paths.weights[level] * logits[level][:, classes].astype(np.float64)
        for level, classes in paths.levels.items()
    )
    temperature = fit_temperature(np.asarray(scores, np.float32), _find_paths(paths, targets))
    fitted = fit_temperatures(card, logits, targets)
    heads = [
        replace(head, path_weight=paths.weights[head.column] / temperature)
        if head.column in paths.levels
        else head
        for head in fitted.heads
    ]
    return replace(fitted, heads=heads)


def fit_temperatures(card: Card, logits: Logits, targets: Targets) -> Card:
    """Return the card with the temperature of each head fitted; the rest stays."""
    heads = [
        replace(head, temperature=fit_temperature(logits[head.column], targets[head.column]))
        for head in card.heads
    ]
    return replace(card, heads=heads)


def fit_path_weights(paths: PathDecoder, logits: Logits, targets: Targets) -> dict[str, float]:
    """Return the weights by level under which the known paths are the most likely; none with too few of them."""
    if not paths.levels:
        return {}
    true_path = _find_paths(paths, targets)
    known = true_path != NO_LABEL
    if known.sum() < FEWEST_PATHS:
        return {}
    rows, right = np.arange(int(known.sum())), true_path[known]
    parts = np.stack(
        [logits[level][known][:, classes].astype(np.float64) for level, classes in paths.levels.items()]
    )

    log_weights = _minimise_by_newton(parts, rows, right)
    return dict(zip(paths.levels, np.exp(log_weights).tolist(), strict=True))


def _minimise_by_newton(
    parts: npt.NDArray[np.float64], rows: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the logs of the weights under which the right paths are the most likely, shape (levels,).

    `parts` holds the logits of each path's label, (levels, n, paths). The loss is convex in the weights; their logs
    keep them positive. Each step is Newton's, halved until it helps.
    """
    log_weights = np.full(len(parts), np.log(0.5))
    loss, shares = _path_loss(parts, log_weights, rows, right)
    for _ in range(_MAX_STEPS):
        weights = np.exp(log_weights)
        expected = np.einsum("np,lnp->ln", shares, parts)
        slope = weights * (expected - parts[:, rows, right]).mean(axis=1)
        spread = np.einsum("np,knp,lnp->kl", shares, parts, parts, optimize=True) / len(rows)
        spread -= expected @ expected.T / len(rows)
        curvature = np.outer(weights, weights) * spread + np.diag(np.abs(slope) + _PRECISE)
        step = np.clip(np.linalg.solve(curvature, slope), -1, 1)
        while np.abs(step).max() > _PRECISE:
            next_loss, next_shares = _path_loss(parts, log_weights - step, rows, right)
            if next_loss < loss:
                break
            step /= 2
        else:
            break
        log_weights, loss, shares = log_weights - step, next_loss, next_shares
    return log_weights


def _path_loss(
    parts: npt.NDArray[np.float64],
    log_weights: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
) -> tuple[float, npt.NDArray[np.float64]]:
    """Return the mean negative log-likelihood of the right paths, and the probabilities of all, (n, paths)."""
    logs = _log_softmax(np.tensordot(np.exp(log_weights), parts, 1))
    return float(-logs[rows, right].mean()), np.exp(logs)


def _find_paths(paths: PathDecoder, targets: Targets) -> npt.NDArray[np.int64]:
    """Return the index of each photo's path, shape (N,), or `NO_LABEL` where it is not known or does not exist."""
    existing = {
        path: index
        for index, path in enumerate(zip(*(c.tolist() for c in paths.levels.values()), strict=True))
    }
    true = zip(*(targets[level].tolist() for level in paths.levels), strict=True)
    return np.array([existing.get(path, NO_LABEL) for path in true], np.int64)


def fit_temperature(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> float:
    """Return the temperature under which the known targets are the most likely.

    `logits` has the shape (N, classes), `targets` (N,) holds class indices or `NO_LABEL`. Without any known target the
    temperature is 1.
    """
    known = targets != NO_LABEL
    if not known.any():
        return 1.0
    values, right = logits[known].astype(np.float64), targets[known]

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = _log_softmax(values / np.exp(log_temperature))
        return float(-scaled[np.arange(len(right)), right].mean())

    return float(np.exp(_minimise_by_sections(negative_log_likelihood, *_SEARCHED)))


def _minimise_by_sections(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one minimum between two bounds has it: golden-section search."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > _PRECISE:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2


def _log_softmax(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = values - values.max(axis=1, keepdims=True)
    logs: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

BOUND_DEVIATIONS: Final = 0.5
"""How many standard deviations below the accuracy on validation its bound lies.

Without a bound, the luckiest of many thresholds is chosen. Measured on the first shipped model (5,947 photos, 40 times
2,000 of them for choosing and the others for measuring, article type, target 98 %): without one, what was answered
afterwards was right in 98.0 % on average, but in 15 of 100 cases under 97.5 %; with half a deviation in 98.2 %, never
under 97.5 %, for 4 points of coverage; with a whole one in 98.4 %, for 9 points.
"""

LOWEST_THRESHOLD: Final = 0.5
"""What is more likely wrong than right is no answer, even where all photos of the validation split would be."""

_Z_95: Final = 1.959963984540054
"""The two-sided 95 % point of the normal distribution."""

FEWEST_ANSWERED: Final = 50
SMALLEST_COVERAGE: Final = 0.25
"""A threshold that would answer fewer photos, or a smaller share of them, is none: it would be luck, or no help."""

FEWEST_OF_SET: Final = 100
"""From how many photos of a set or negatives on they say where an OOD detector's threshold is."""

FLAGGED_NEGATIVES: Final = 0.95
"""What share of kept-back negatives is worth flagging: the rest look like products, and so do products abroad."""


def choose_thresholds(card: Card, predictions: Predictions, targets: Targets, target: float) -> Card:
    """Return the card with a threshold for each head, so that `target` of what is answered is right.

    `predictions` are those of the n photos of validation, `targets` holds the class indices (n,) by column, or
    `NO_LABEL`, which does not count. A head that does not reach the target often enough has no threshold. The threshold
    of an OOD detector is chosen too, by the photos of which any label is known.
    """
    thresholds = choose_path_thresholds(category_levels(card), predictions, targets, target)
    for column in card.columns:
        if column not in thresholds:
            known, hits = targets[column] != NO_LABEL, predictions.label_indices[column] == targets[column]
            thresholds[column] = choose_threshold(predictions.confidence(column)[known], hits[known], target)
    heads = [replace(head, threshold=thresholds[head.column]) for head in card.heads]
    detector = card.ood_detector
    if detector is not None and predictions.ood_score is not None:
        is_product = np.any([targets[head.column] != NO_LABEL for head in heads], axis=0)
        detector = replace(detector, threshold=choose_ood_threshold(predictions.ood_score[is_product]))
    return replace(card, heads=heads, target_accuracy=target, ood_detector=detector)


def choose_path_thresholds(
    levels: Sequence[str], predictions: Predictions, targets: Targets, target: float
) -> dict[str, float | None]:
    """Return by level, from the root to the leaf, the threshold under which `target` of the answers are right.

    The leaf's threshold is chosen first, then that of each level above it by the photos that no deeper level answers:
    those are the hard ones, and the answers that end at a level should be right as often as the others. (Measured as
    above: thresholds chosen level by level, over all photos, gave answers that were right in 97.3 %, those that ended
    at the root in 92 %; these in 98.3 % and 98.6 %, while 99 % of the photos had an answer.) No level is harder to pass
    than the one below it.
    """
    thresholds: dict[str, float | None] = {}
    rest = np.ones(len(predictions), np.bool_)
    below: float | None = None
    for depth in range(len(levels), 0, -1):
        path, level = levels[:depth], levels[depth - 1]
        known = rest & np.all([targets[name] != NO_LABEL for name in path], axis=0)
        hits = np.all([predictions.label_indices[name] == targets[name] for name in path], axis=0)
        confidence = predictions.confidence(level)
        found = choose_threshold(confidence[known], hits[known], target)
        below = thresholds[level] = min(
            (value for value in (found, below) if value is not None), default=None
        )
        if below is not None:
            rest &= confidence < below
    return {level: thresholds[level] for level in levels}


def choose_threshold(confidence: Floats, hits: Bools, target: float) -> float | None:
    """Return the lowest confidence from which on `target` of what is answered is right, None if there is none.

    `confidence` and `hits` have the shape (n,). Photos of equal confidence are answered together or not at all. "Right"
    is meant by the lower bound of the Wilson score interval, so that few photos have to be right more often.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, right = confidence[order], np.cumsum(hits[order], dtype=np.int64)
    answered = np.arange(1, len(ordered) + 1)
    is_last_of_equals = np.append(ordered[1:] < ordered[:-1], np.ones(min(1, len(ordered)), np.bool_))
    enough = max(FEWEST_ANSWERED, SMALLEST_COVERAGE * len(ordered))
    reached = is_last_of_equals & (answered >= enough) & (lower_bound(right, answered) >= target)
    if not reached.any():
        return None
    return max(LOWEST_THRESHOLD, float(ordered[np.flatnonzero(reached)[-1]]))


def choose_ood_threshold(scores_of_products: Floats, share: float = 0.02) -> float:
    """Return the score, of shape (n,), that at most `share` of the products are over; `ValueError` without any."""
    if not len(scores_of_products):
        raise ValueError("an OOD detector's threshold is chosen by photos of products")
    allowed = int(share * len(scores_of_products))
    return float(np.sort(scores_of_products)[len(scores_of_products) - 1 - allowed])


def widen_ood_threshold(card: Card, scores_by_set: Sequence[Floats], negatives: Floats | None = None) -> Card:
    """Return the card with an OOD detector that flags products of other sets no more often than the catalogue's own.

    `scores_by_set` holds the detector's scores, of shape (n,), of each set's products; sets of fewer than
    `FEWEST_OF_SET` photos have no say. A shop that was never learned from scores higher than any of these, so the
    threshold leaves products all the room in which `FLAGGED_NEGATIVES` of the `negatives` are still flagged.
    """
    if card.ood_detector is None:
        return card
    thresholds = [choose_ood_threshold(scores) for scores in scores_by_set if len(scores) >= FEWEST_OF_SET]
    if negatives is not None and len(negatives) >= FEWEST_OF_SET:
        thresholds.append(float(np.quantile(negatives, 1 - FLAGGED_NEGATIVES)))
    widest = max([card.ood_detector.threshold, *thresholds])
    return replace(card, ood_detector=replace(card.ood_detector, threshold=widest))


def lower_bound(
    right: npt.NDArray[np.int64], answered: npt.NDArray[np.int64], deviations: float = BOUND_DEVIATIONS
) -> npt.NDArray[np.float64]:
    """Return the lower ends of the Wilson score intervals of right out of answered (at least 1), shape (n,).

    Wilson: Probable Inference, the Law of Succession, and Statistical Inference, JASA 1927.
    """
    share, squared = right / answered, deviations**2
    middle = share + squared / (2 * answered)
    spread = deviations * np.sqrt(share * (1 - share) / answered + squared / (4 * answered**2))
    bound: npt.NDArray[np.float64] = (middle - spread) / (1 + squared / answered)
    return bound


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
