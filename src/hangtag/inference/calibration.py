"""Calibration on validation: temperatures, path weights, and confidence thresholds for a target accuracy.

A head has a temperature (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017). The levels
of the category path are calibrated together: each has a weight in the score of a path, and the weights maximise the
likelihood of the true paths. `docs/training.md` has the results for the first shipped model, fitted on one half of
validation and measured on the other.

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
_PRECISE: Final = 1e-5  # in the log of a temperature or a weight
_MAX_STEPS: Final = 60

FEWEST_PATHS: Final = 100
"""With fewer photos whose whole path is known, each level is calibrated by itself."""


def calibrate(card: Card, logits: Logits, targets: Targets) -> Card:
    """Return the card with fitted temperatures and, if it has a category path, weights of its levels.

    `logits` holds float32 (N, classes) by column, `targets` class indices (N,) or `NO_LABEL`.
    """
    weights = fit_path_weights(PathDecoder.from_card(card), logits, targets)
    fitted = fit_temperatures(card, logits, targets)
    heads = [replace(head, path_weight=weights.get(head.column)) for head in fitted.heads]
    return replace(fitted, heads=heads)


def recalibrate(card: Card, logits: Logits, targets: Targets) -> Card:
    """Return the card with new temperatures. All its path weights are multiplied by one number.

    A few known paths are enough to fit that. Without path weights, the card is calibrated as by `calibrate`.
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
    """Return the card with a fitted temperature for each head. The rest is unchanged."""
    heads = [
        replace(head, temperature=fit_temperature(logits[head.column], targets[head.column]))
        for head in card.heads
    ]
    return replace(card, heads=heads)


def fit_path_weights(paths: PathDecoder, logits: Logits, targets: Targets) -> dict[str, float]:
    """Return the weights by level that maximise the likelihood of the known paths; none if there are too few."""
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
    """Return the logs of the weights that maximise the likelihood of the right paths, shape (levels,).

    `parts` holds the logit of each path's label at each level, (levels, n, paths). The loss is convex in the weights;
    optimising their logs keeps them positive. Each Newton step is halved until it improves the loss.
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
    """Return the index of each photo's path, shape (N,), or `NO_LABEL` if it is unknown or does not exist."""
    existing = {
        path: index
        for index, path in enumerate(zip(*(c.tolist() for c in paths.levels.values()), strict=True))
    }
    true = zip(*(targets[level].tolist() for level in paths.levels), strict=True)
    return np.array([existing.get(path, NO_LABEL) for path in true], np.int64)


def fit_temperature(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> float:
    """Return the temperature that maximises the likelihood of the known targets.

    `logits` has the shape (N, classes), `targets` (N,) holds class indices or `NO_LABEL`. If no target is known, the
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
    """Return the minimiser of a unimodal function between two bounds, by golden-section search."""
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
"""How many standard deviations the lower bound on the accuracy is below the accuracy measured on validation.

Without such a bound, the luckiest of many thresholds is chosen. On the first shipped model (article type, target 98 %,
5,947 photos, 40 random splits of 2,000 to choose on and the rest to measure on), thresholds without a bound gave
answers that were 98.0 % right on average, but under 97.5 % in 15 of 100 cases. Half a deviation gave 98.2 %, never
under 97.5 %, and cost 4 points of coverage; a whole one gave 98.4 % and cost 9 points.
"""

LOWEST_THRESHOLD: Final = 0.5
"""A label that is more likely wrong than right is not an answer, even if the validation split would allow it."""

_Z_95: Final = 1.959963984540054
"""The 97.5 % quantile of the normal distribution, for two-sided 95 % intervals."""

FEWEST_ANSWERED: Final = 50
SMALLEST_COVERAGE: Final = 0.25
"""The smallest number and share of photos that a threshold must answer. Below, it would be luck or of little use."""

FEWEST_OF_SET: Final = 100
"""The smallest number of photos in a set, or of negatives, that is used to choose an OOD threshold."""

FLAGGED_NEGATIVES: Final = 0.95
"""The share of held-out negatives worth flagging. The rest look like products, and flagging them would flag products
of other shops too."""


def choose_thresholds(card: Card, predictions: Predictions, targets: Targets, target: float) -> Card:
    """Return the card with a threshold for each head, chosen so that `target` of the answers are right.

    `predictions` are those of the n validation photos, and `targets` holds the class indices (n,) by column, or
    `NO_LABEL`, which does not count. A head that cannot reach the target gets no threshold. The threshold of an OOD
    detector is chosen too, on the photos with any known label.
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
    """Return the threshold of each level, from the root to the leaf, so that `target` of the answers are right.

    The leaf's threshold is chosen first, then that of each level above it, on the photos that no deeper level answers.
    These are the hard ones, and answers that end at their level should be right as often as the others. (Measured as
    above: thresholds chosen level by level over all photos gave answers that were 97.3 % right, and 92 % right if they
    ended at the root. This method gave 98.3 % and 98.6 %, and an answer for 99 % of the photos.) No level has a higher
    threshold than the one below it.
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
    """Return the lowest confidence at or above which `target` of the answers are right; None if there is none.

    `confidence` and `hits` have the shape (n,). Photos of equal confidence are answered together or not at all. The
    share of right answers is measured by the lower bound of its Wilson score interval, so few photos have to be right
    more often.
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
    """Return the score that at most `share` of the products, shape (n,), exceed; `ValueError` if there are none."""
    if not len(scores_of_products):
        raise ValueError("an OOD detector's threshold is chosen by photos of products")
    allowed = int(share * len(scores_of_products))
    return float(np.sort(scores_of_products)[len(scores_of_products) - 1 - allowed])


def widen_ood_threshold(card: Card, scores_by_set: Sequence[Floats], negatives: Floats | None = None) -> Card:
    """Return the card with an OOD detector that flags products of other sets no more often than the catalogue's own.

    `scores_by_set` holds the detector's scores, of shape (n,), for each set's products. Sets of fewer than
    `FEWEST_OF_SET` photos are ignored. An unseen shop scores higher than any of these, so the threshold is as high as
    possible while `FLAGGED_NEGATIVES` of the `negatives` are still flagged.
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
    """Return the lower bounds of the Wilson score intervals for right out of answered (at least 1), shape (n,).

    Wilson: Probable Inference, the Law of Succession, and Statistical Inference, JASA 1927.
    """
    share, squared = right / answered, deviations**2
    middle = share + squared / (2 * answered)
    spread = deviations * np.sqrt(share * (1 - share) / answered + squared / (4 * answered**2))
    bound: npt.NDArray[np.float64] = (middle - spread) / (1 + squared / answered)
    return bound


def wilson_interval(hits: int, support: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927). Without observations it is (0, 1)."""
    if support == 0:
        return (0.0, 1.0)
    rate, square = hits / support, _Z_95 * _Z_95
    centre = (rate + square / (2 * support)) / (1 + square / support)
    spread = math.sqrt(rate * (1 - rate) / support + square / (4 * support * support))
    half = _Z_95 * spread / (1 + square / support)
    # At 0 and 1 the formula is exact, but floating-point rounding is not.
    return (0.0 if hits == 0 else centre - half, 1.0 if hits == support else centre + half)
