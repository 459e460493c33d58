"""The accuracy of a shop model: on the shop's random checks, which it did not learn from, and on the base's photos."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hangtag.adapting.adapt import Adapted
from hangtag.adapting.effort import measure_accuracy
from hangtag.adapting.examples import Examples
from hangtag.adapting.forgetting import WARNING_POINTS
from hangtag.bundle.card import Card
from hangtag.domain.significance import SIGNIFICANT, sign_test
from hangtag.inference.predictions import Floats
from hangtag.inference.probabilities import PredictionBuilder

ALL_CLASSES: Final = "all classes"

Bools = npt.NDArray[np.bool_]
Answers = Mapping[str, list[str | None]]
"""The label of each product, by column."""


def find_answers(card: Card, outputs: Mapping[str, Floats]) -> dict[str, list[str | None]]:
    """Return the labels for a model's outputs, by column, given its card."""
    found = PredictionBuilder(card).build(outputs)
    return {column: found.labels(column) for column in found.columns}


def describe_figures(
    adapted: Adapted, base: Card, control: Examples | None, answers: Mapping[str, Answers]
) -> dict[str, Any]:
    """Return the figures of a shop model by column.

    `answers` are the labels of the control products: by the `base`, by the model in use `now`, and by the `new` model.
    """
    figures: dict[str, Any] = {}
    for column in adapted.card.columns:
        result = adapted.columns.get(column)
        said = [] if control is None else list(control.labels.get(column, ()))
        known = np.array([label is not None for label in said], np.bool_)
        right = {who: _find_right(answers[who].get(column), said)[known] for who in answers}
        figures[column] = {
            "shop": _describe(right.get("new")),
            "before": _describe(right.get("base")) if column in base.columns else None,
            "learnt": None
            if result is None
            else {"labels": result.labels, "before": result.before, "after": result.after},
            "base": _describe_base(base, column, adapted.lost.get(column, 0.0)),
            "classes": [],
            "worse": [],
        }
        if right and known.any():
            labels = np.array([label for label in said if label is not None])
            figures[column]["classes"] = _describe_classes(labels, right)
            figures[column]["worse"] = _find_worse(labels, right)
    return figures


def describe_forgetting(adapted: Adapted) -> dict[str, Any]:
    """Return by how many points the mean accuracy falls on the base's photos, and whether that is much."""
    return {"mean_change": round(-adapted.forgotten, 3), "told": adapted.forgotten > WARNING_POINTS}


def _find_right(answers: list[str | None] | None, said: list[str | None]) -> Bools:
    given: list[str | None] = [None] * len(said) if answers is None else list(answers)
    return np.array(
        [answer is not None and answer == label for answer, label in zip(given, said, strict=True)], np.bool_
    )


def _describe(right: Bools | None) -> dict[str, Any] | None:
    found = None if right is None else measure_accuracy(right)
    if found is None:
        return None
    low, high = found.interval
    return {"checked": found.checked, "share": found.share, "low": low, "high": high}


def _describe_base(base: Card, column: str, lost: float | None) -> dict[str, Any] | None:
    if column not in base.columns:
        return None
    accuracy = base.figure("test", "heads", column, "top1_accuracy")
    return {"accuracy": accuracy, "change": None if lost is None else round(-lost / 100, 5)}


def _describe_classes(labels: npt.NDArray[np.str_], right: Mapping[str, Bools]) -> list[dict[str, Any]]:
    found = []
    for name in np.unique(labels).tolist():
        own = labels == name
        found.append(
            {
                "name": name,
                "checks": int(own.sum()),
                "right": int(right["new"][own].sum()),
                "before_right": int(right["base"][own].sum()),
            }
        )
    return sorted(found, key=lambda entry: (-entry["checks"], entry["name"]))


def _find_worse(labels: npt.NDArray[np.str_], right: Mapping[str, Bools]) -> list[str]:
    """Return the classes that are significantly less accurate than with the model in use now."""
    now, new = right["now"], right["new"]
    places = {ALL_CLASSES: np.ones(len(labels), np.bool_)}
    places |= {name: labels == name for name in np.unique(labels).tolist()}
    return [
        name
        for name, own in places.items()
        if sign_test(int((now & ~new & own).sum()), int((new & ~now & own).sum())) < SIGNIFICANT
    ]
