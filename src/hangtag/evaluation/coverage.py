"""How much a model answers, and how much of that is right: by head, and for the answer that backs off."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from hangtag.bundle.card import Card, HeadCard
from hangtag.evaluation.metrics import Bools, Floats, Ints, share, wilson_interval

Json = dict[str, Any]

CURVE_POINTS: Final = 50
"""So many points of equal distance in coverage are kept of a curve."""

_DIGITS: Final = 4


def measure_answered(head: HeadCard, confidence: Floats, hits: Bools) -> Json:
    """Return what is answered at the head's threshold, and how much of it is right; `confidence`, `hits`: (n,)."""
    if head.threshold is None or not len(hits):
        return {"threshold": head.threshold, "coverage": None, "accuracy": None, "interval_95": None}
    # As when labelling: confidences are float32, and a threshold is one of them.
    answered = confidence.astype(np.float32) >= np.float32(head.threshold)
    right = hits[answered]
    return {
        "threshold": head.threshold,
        "coverage": share(answered),
        "accuracy": share(right) if len(right) else None,
        "interval_95": list(wilson_interval(int(right.sum()), len(right))),
    }


def coverage_curve(confidence: Floats, hits: Bools) -> list[Json]:
    """Return accuracy over coverage: how much of the most confident share of n answers is right.

    El-Yaniv, Wiener: On the Foundations of Noise-free Selective Classification, JMLR 2010. Photos of equal confidence
    are answered together.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, right = confidence[order], np.cumsum(hits[order], dtype=np.int64)
    wanted = np.ceil(np.arange(1, CURVE_POINTS + 1) * len(ordered) / CURVE_POINTS).astype(np.int64)
    # The last one of those with the same confidence as the last one wanted.
    if not len(ordered):
        return []
    counts = np.unique(np.searchsorted(-ordered, -ordered[wanted - 1], side="right"))
    return [
        {
            "coverage": round(int(count) / len(ordered), _DIGITS),
            "accuracy": round(int(right[count - 1]) / int(count), _DIGITS),
            "confidence": round(float(ordered[count - 1]), _DIGITS),
        }
        for count in counts
    ]


def measure_answers(
    card: Card, levels: Sequence[str], depth: Ints, right: Mapping[str, Bools], known: Mapping[str, Bools]
) -> Json:
    """Return how far down the category path the n photos are answered, and how often such an answer is right.

    `depth`, shape (n,), counts the levels of each photo's answer; `right` and `known` say by level whether its label is
    right, and whether there is one. An answer is right when all of its labels are; photos without a label at some
    level do not count. `levels` that ends at null are those photos that are not answered.
    """
    counted = np.all([known[level] for level in levels], axis=0)
    depths = depth[counted]
    whole = np.ones(len(depth), np.bool_)
    is_right = np.ones(len(depths), np.bool_)
    rows = []
    for level in range(len(levels) + 1):
        if level:
            whole &= right[levels[level - 1]]
        here = depths == level
        is_right[here] = whole[counted][here]
        rows.append(
            {
                "level": levels[level - 1] if level else None,
                "photos": int(here.sum()),
                "share": _or_none(share(here)),
                "accuracy": _or_none(share(is_right[here])) if level else None,
            }
        )
    answered = is_right[depths > 0]
    return {
        "target_accuracy": card.target_accuracy,
        "support": len(depths),
        "coverage": _or_none(share(depths > 0)),
        "accuracy": _or_none(share(answered)),
        "interval_95": list(wilson_interval(int(answered.sum()), len(answered))),
        "levels": rows[::-1],
    }


def measure_ood_detector(card: Card, flagged: Bools) -> Json | None:
    """Return how many of n photos the OOD detector flags as no product, shape (n,); None for a model without one."""
    if card.ood_detector is None:
        return None
    return {
        "threshold": card.ood_detector.threshold,
        "photos": len(flagged),
        "flagged": int(flagged.sum()),
        "share": _or_none(share(flagged)),
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
