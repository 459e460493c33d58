"""Calibration: a few numbers that make a model's confidences honest, fitted on validation.

A head has a temperature (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017). The levels
of the category path are calibrated together: each has a weight in the score of a path, and the weights are those under
which the true paths are the most likely. Measured on the first shipped model, fitted on one half of validation and
measured on the other: `docs/training.md`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from hangtag.bundle.card import Card
from hangtag.inference.probabilities import PathDecoder
from hangtag.training.data import UNKNOWN

Logits = Mapping[str, npt.NDArray[np.float32]]
Targets = Mapping[str, npt.NDArray[np.int64]]

_SEARCHED: Final = (np.log(0.05), np.log(20.0))

FEWEST_PATHS: Final = 100
"""With fewer photos whose whole path is known, the levels are calibrated each for itself."""


def calibrate(card: Card, logits: Logits, targets: Targets) -> Card:
    """Return the card with temperatures and, where it has a category path, the weights of its levels.

    `logits` holds float32 (N, classes) by column, `targets` class indices (N,) or `UNKNOWN`.
    """
    weights = fit_path_weights(PathDecoder.from_card(card), logits, targets)
    heads = [
        replace(
            head,
            temperature=fit_temperature(logits[head.column], targets[head.column]),
            path_weight=weights.get(head.column),
        )
        for head in card.heads
    ]
    return replace(card, heads=heads)


def fit_path_weights(paths: PathDecoder, logits: Logits, targets: Targets) -> dict[str, float]:
    """Return the weights by level under which the known paths are the most likely; none with too few of them."""
    if not paths.levels:
        return {}
    true_path = _find_paths(paths, targets)
    known = true_path != UNKNOWN
    if known.sum() < FEWEST_PATHS:
        return {}
    rows, right = np.arange(int(known.sum())), true_path[known]
    parts = np.stack(
        [logits[level][known][:, classes].astype(np.float64) for level, classes in paths.levels.items()]
    )

    def negative_log_likelihood(log_weights: npt.NDArray[np.float64]) -> float:
        scores = np.tensordot(np.exp(log_weights), parts, 1)
        return float(-log_softmax(scores, axis=1)[rows, right].mean())

    found = minimize(negative_log_likelihood, np.full(len(parts), np.log(0.5)), method="Nelder-Mead")
    return dict(zip(paths.levels, np.exp(found.x).tolist(), strict=True))


def _find_paths(paths: PathDecoder, targets: Targets) -> npt.NDArray[np.int64]:
    """Return the index of each photo's path, shape (N,), or `UNKNOWN` where it is not known or does not exist."""
    existing = {
        path: index
        for index, path in enumerate(zip(*(c.tolist() for c in paths.levels.values()), strict=True))
    }
    true = zip(*(targets[level].tolist() for level in paths.levels), strict=True)
    return np.array([existing.get(path, UNKNOWN) for path in true], np.int64)


def fit_temperature(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> float:
    """Return the temperature under which the known targets are the most likely.

    `logits` has the shape (N, classes), `targets` (N,) holds class indices or `UNKNOWN`. Without any known target the
    temperature is 1.
    """
    known = targets != UNKNOWN
    if not known.any():
        return 1.0
    values, right = logits[known].astype(np.float64), targets[known]

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = log_softmax(values / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(right)), right].mean())

    found = minimize_scalar(negative_log_likelihood, bounds=_SEARCHED, method="bounded")
    return float(np.exp(found.x))
