"""What a model knows about its own answers: down to which level it is sure, and what is wrong with the photos."""

from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.flags import Flag
from hangtag.imaging.visibility import QUALITY_FLAGS, Flagged
from hangtag.inference.scores import Scores

_GATE_AND_QUALITY: Final = (Flag.NOT_A_PRODUCT, *QUALITY_FLAGS)


def category_levels(card: Card) -> tuple[str, ...]:
    """Return the levels of the category path that a model answers, from the root to the leaf."""
    return tuple(column for column in CATEGORY_COLUMNS if column in card.columns)


def count_sure_levels(scores: Scores, card: Card) -> npt.NDArray[np.int64]:
    """Return for n photos how many levels of the category path, from the root on, are sure: shape (n,).

    A level is sure when its confidence and those of all levels above it reach their thresholds, so that the answer
    backs off to the deepest level that can be trusted (Deng, Krause, Berg, Fei-Fei: Hedging Your Bets, CVPR 2012). A
    level without a threshold is never sure where the card states a target accuracy, and always where it does not.
    """
    levels = category_levels(card)
    photos = len(next(iter(scores.chosen.values())))
    sure, depth = np.ones(photos, np.bool_), np.zeros(photos, np.int64)
    for level in levels:
        threshold = card.head(level).threshold
        if threshold is not None:
            sure &= scores.confidence(level) >= threshold
        elif card.target_accuracy is not None:
            sure[:] = False
        depth += sure
    return depth


def list_flags(scores: Scores, card: Card, quality: Flagged) -> list[tuple[Flag, ...]]:
    """Return the flags of each of n photos: that of the gate, and those of `quality`, bool (n, quality flags)."""
    flagged = np.concatenate([over_gate(scores, card)[:, None], quality], axis=1)
    flags: list[tuple[Flag, ...]] = [()] * len(flagged)
    for photo in np.flatnonzero(flagged.any(axis=1)).tolist():
        flags[photo] = tuple(
            flag for flag, is_set in zip(_GATE_AND_QUALITY, flagged[photo], strict=True) if is_set
        )
    return flags


def over_gate(scores: Scores, card: Card) -> npt.NDArray[np.bool_]:
    """Return which of n photos the gate flags as no product, shape (n,); none where the model has no gate."""
    if card.gate is None or scores.gate is None:
        return np.zeros(len(next(iter(scores.chosen.values()))), np.bool_)
    return np.asarray(scores.gate > card.gate.threshold)
