"""The figures of one head, of all heads together, and of coverage, as JSON values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from hangtag.bundle.card import Card, HeadCard
from hangtag.evaluation.answers import Truth
from hangtag.evaluation.metrics import (
    CALIBRATION_BINS,
    Bools,
    ClassScores,
    Floats,
    Ints,
    class_scores,
    confusion_counts,
    expected_calibration_error,
    macro_f1,
    reliability_bins,
    share,
)
from hangtag.inference.calibration import wilson_interval
from hangtag.inference.predictions import Predictions

Json = dict[str, Any]

CURVE_POINTS: Final = 50
"""How many evenly spaced points of a coverage curve are kept."""

_CURVE_DIGITS: Final = 4


def measure_answered(head: HeadCard, confidence: Floats, hits: Bools) -> Json:
    """Return the coverage at the head's threshold, and its accuracy; `confidence`, `hits`: (n,)."""
    if head.threshold is None or not len(hits):
        return {"threshold": head.threshold, "coverage": None, "accuracy": None, "interval_95": None}
    # As in labelling: confidences are float32, and the threshold is compared as one.
    answered = confidence.astype(np.float32) >= np.float32(head.threshold)
    right = hits[answered]
    return {
        "threshold": head.threshold,
        "coverage": share(answered),
        "accuracy": share(right) if len(right) else None,
        "interval_95": list(wilson_interval(int(right.sum()), len(right))),
    }


def coverage_curve(confidence: Floats, hits: Bools) -> list[Json]:
    """Return accuracy over coverage: the accuracy of the most confident share of n predictions.

    El-Yaniv, Wiener: On the Foundations of Noise-free Selective Classification, JMLR 2010. Photos of equal confidence
    are covered together.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, right = confidence[order], np.cumsum(hits[order], dtype=np.int64)
    wanted = np.ceil(np.arange(1, CURVE_POINTS + 1) * len(ordered) / CURVE_POINTS).astype(np.int64)
    # The last of those with the same confidence as the last wanted one.
    if not len(ordered):
        return []
    counts = np.unique(np.searchsorted(-ordered, -ordered[wanted - 1], side="right"))
    return [
        {
            "coverage": round(int(count) / len(ordered), _CURVE_DIGITS),
            "accuracy": round(int(right[count - 1]) / int(count), _CURVE_DIGITS),
            "confidence": round(float(ordered[count - 1]), _CURVE_DIGITS),
        }
        for count in counts
    ]


def measure_answers(
    card: Card, levels: Sequence[str], depth: Ints, right: Mapping[str, Bools], known: Mapping[str, Bools]
) -> Json:
    """Return how far down the category path n photos are answered, and how often such an answer is right.

    `depth`, shape (n,), is the number of levels of each photo's answer. `right` and `known` say by level whether its
    label is right, and whether there is one. An answer is right if all of its labels are; photos without a label at
    some level do not count. In `levels`, the entry that ends at null counts the photos without an answer.
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
                "share": as_json_number(share(here)),
                "accuracy": as_json_number(share(is_right[here])) if level else None,
            }
        )
    answered = is_right[depths > 0]
    return {
        "target_accuracy": card.target_accuracy,
        "support": len(depths),
        "coverage": as_json_number(share(depths > 0)),
        "accuracy": as_json_number(share(answered)),
        "interval_95": list(wilson_interval(int(answered.sum()), len(answered))),
        "levels": rows[::-1],
    }


def measure_ood_detector(card: Card, flagged: Bools) -> Json | None:
    """Return how many of n photos the OOD detector flags, shape (n,); None for a model without one."""
    if card.ood_detector is None:
        return None
    return {
        "threshold": card.ood_detector.threshold,
        "photos": len(flagged),
        "flagged": int(flagged.sum()),
        "share": as_json_number(share(flagged)),
    }


Report = dict[str, Any]
"""JSON values; `docs/evaluation.md` describes each field."""

_TOP: Final = 3
_DIGITS: Final = 6
"""The precision of shares that are stored by the hundred. More would only make cards longer."""


def measure_head(head: HeadCard, predictions: Predictions, truth: Truth) -> Report:
    """Return the figures of a head over the photos that have a label."""
    counted = truth.counted
    known = truth.indices[counted]
    top = predictions.top_k(head.column, _TOP)[0][counted]
    chosen = top[:, 0]
    confidence = predictions.confidence(head.column)[counted].astype(np.float64)
    hits = chosen == known
    return {
        "top1_accuracy": as_json_number(share(hits)),
        "interval_95": list(wilson_interval(int(hits.sum()), len(hits))),
        "top3_accuracy": as_json_number(share((top == known[:, None]).any(axis=1))),
        "macro_f1": as_json_number(macro_f1(known, chosen)),
        "expected_calibration_error": as_json_number(expected_calibration_error(confidence, hits)),
        "calibration_bins": CALIBRATION_BINS,
        "answered": measure_answered(head, confidence, hits),
        "support": len(known),
        "classes": len(np.unique(known)),
        "missing_labels": int((~counted).sum()),
        "unknown_labels": int((known >= len(head.classes)).sum()),
        "per_class": _per_class(class_scores(known, chosen, len(truth.labels)), truth.labels),
        "confusion": {
            "labels": list(truth.labels),
            "counts": confusion_counts(known, chosen).tolist(),
        },
        "reliability": [_rounded(asdict(part)) for part in reliability_bins(confidence, hits)],
        "coverage_curve": coverage_curve(confidence, hits),
    }


def measure_together(predictions: Predictions, truths: Mapping[str, Truth]) -> Report:
    """Return how often every head is right, over the photos that have a label for each.

    Heads without any labels do not take part; `heads` lists those that do.
    """
    taking_part = {column: truth for column, truth in truths.items() if truth.counted.any()}
    size = len(next(iter(truths.values())).indices)
    complete, right = np.full(size, bool(taking_part)), np.ones(size, dtype=np.bool_)
    for column, truth in taking_part.items():
        complete &= truth.counted
        right &= predictions.label_indices[column] == truth.indices
    hits = right[complete]
    return {
        "rate": as_json_number(share(hits)),
        "interval_95": list(wilson_interval(int(hits.sum()), len(hits))),
        "support": len(hits),
        "heads": list(taking_part),
    }


def as_json_number(value: float) -> float | None:
    """Return a figure as JSON; NaN becomes None."""
    return None if math.isnan(value) else value


def _per_class(scores: ClassScores, labels: tuple[str, ...]) -> list[Report]:
    """Return the figures of each label that occurs in truth or predictions, the most frequent first."""
    occurring = np.flatnonzero(scores.support + scores.answered)
    rows = [
        {
            "label": labels[index],
            "support": int(scores.support[index]),
            "answered": int(scores.answered[index]),
            "precision": float(scores.precision[index]),
            "recall": float(scores.recall[index]),
            "f1": float(scores.f1[index]),
        }
        for index in occurring
    ]
    return sorted(map(_rounded, rows), key=lambda row: (-row["support"], row["label"]))


def _rounded(values: Report) -> Report:
    return {
        name: as_json_number(round(value, _DIGITS)) if isinstance(value, float) else value
        for name, value in values.items()
    }
