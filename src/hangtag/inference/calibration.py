"""Calibration: temperatures and path weights, fitted on validation.

A head has a temperature (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017). The levels
of the category path are calibrated together: each has a weight in the score of a path, and the weights are those under
which the true paths are the most likely. Measured on the first shipped model, fitted on one half of validation and
measured on the other: `docs/training.md`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.inference.predictions import NO_LABEL
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
