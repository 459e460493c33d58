"""The figures of one head, and of all heads together, as JSON values."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from hangtag.bundle.card import HeadCard
from hangtag.evaluation.answers import Truth
from hangtag.evaluation.coverage import coverage_curve, measure_answered
from hangtag.evaluation.metrics import (
    CALIBRATION_BINS,
    ClassScores,
    class_scores,
    confusion_counts,
    expected_calibration_error,
    macro_f1,
    reliability_bins,
    share,
    wilson_interval,
)
from hangtag.inference.predictions import Predictions

Report = dict[str, Any]
"""JSON values; `docs/evaluation.md` says what each field means."""

_TOP: Final = 3
_DIGITS: Final = 6
"""Of the shares that are kept by the hundred: more would only make cards longer."""


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

    A head for which no photo has a label does not take part: `heads` names those that do.
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
    """Return the figure as JSON knows it: of nothing there is none."""
    return None if math.isnan(value) else value


def _per_class(scores: ClassScores, labels: tuple[str, ...]) -> list[Report]:
    """Return the figures of each label that is true or answered somewhere, the most frequent first."""
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
