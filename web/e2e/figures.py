"""Made-up figures of a model, in the form of an evaluation: enough for every chart of the page."""  # noqa: INP001 - a script

from typing import Any

from hangtag.bundle.card import Card, HeadCard

PHOTOS = 100
RIGHT = 80
"""Of each class: so many photos, so many of them right; the rest is called the next class."""


def make_up_metrics(card: Card) -> dict[str, Any]:
    """Return the metrics of a test split with the same mistakes in each head."""
    return {
        "test": {
            "split": {"name": "test", "strategy": "grouped"},
            "photos": {"labelled": PHOTOS * len(card.heads[0].classes), "failed": {"truncated": 1}},
            "heads": {head.column: _figures(head) for head in card.heads},
            "all_right": {"rate": 0.4, "interval_95": [0.3, 0.5], "support": PHOTOS},
            "mean_top1_accuracy": RIGHT / PHOTOS,
            "mean_macro_f1": RIGHT / PHOTOS,
        }
    }


def _figures(head: HeadCard) -> dict[str, Any]:
    classes, share = len(head.classes), RIGHT / PHOTOS
    cells = [[[one, one, RIGHT], [one, (one + 1) % classes, PHOTOS - RIGHT]] for one in range(classes)]
    per_class = [
        {
            "label": label,
            "support": PHOTOS,
            "answered": PHOTOS,
            "precision": share,
            "recall": share,
            "f1": share,
        }
        for label in head.classes
    ]
    bins = [
        {"low": low, "high": low + 0.2, "count": 20, "confidence": low + 0.1, "accuracy": low}
        for low in (0.4, 0.6, 0.8)
    ]
    return {
        "top1_accuracy": share,
        "interval_95": [share - 0.02, share + 0.02],
        "top3_accuracy": 1.0,
        "macro_f1": share,
        "expected_calibration_error": 0.1,
        "support": PHOTOS * classes,
        "classes": classes,
        "missing_labels": 0,
        "unknown_labels": 0,
        "per_class": per_class,
        "confusion": {"labels": list(head.classes), "counts": [cell for row in cells for cell in row]},
        "reliability": bins,
        "answered": {"threshold": head.threshold, "coverage": 0.75, "accuracy": 0.98},
        "coverage_curve": [
            {"coverage": step / 10, "accuracy": 1 - 0.02 * step, "confidence": 1 - step / 20}
            for step in range(1, 11)
        ],
    }
