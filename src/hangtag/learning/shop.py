"""What hangtag knows about a shop: the accuracy there, its trend over the weeks, and what was learned."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, func, select
from sqlalchemy import Row as DatabaseRow

from hangtag.adapting.effort import estimate_labels, measure_accuracy
from hangtag.adapting.examples import FEWEST_LABELS
from hangtag.domain.errors import ConflictError, InvalidField, InvalidFieldsError, NotStoredError
from hangtag.domain.prediction import Flag
from hangtag.learning.checks import find_new_checks, read_control, take_checked
from hangtag.learning.learner import LearningRequest
from hangtag.learning.settings import LearningSettings, add_request, read_settings, write_settings
from hangtag.learning.suggestions import Suggestions
from hangtag.learning.worker import LearningWorker
from hangtag.store.database import writing
from hangtag.store.shop_models import ShopModels, read_learnt
from hangtag.store.shop_tables import ShopModelRow
from hangtag.store.store import Store, iter_parts, now
from hangtag.store.tables import BatchRow, ModelRow, ProductRow

WEEKS: Final = 12
FEWEST_CHECKED: Final = 20
_SHOWN_CLASSES: Final = 30
_MOST_CHECKS: Final = 100_000
_TARGETS: Final = (0.8, 0.85, 0.9, 0.95, 0.98)


class Shop:
    """Reads and changes what hangtag learns from the checks of a store."""

    def __init__(self, store: Store, models: ShopModels, worker: LearningWorker) -> None:
        self.models = models
        self.suggestions = Suggestions(store)
        self._store = store
        self._worker = worker

    def describe(self) -> dict[str, Any]:
        """Return the settings, what is in use, what was learned last, and the figures of the random checks."""
        learning = self._worker.learning
        with self._store.engine.connect() as connection:
            settings = read_settings(connection)
            last = read_learnt(connection)
            checked = _read_control(connection)
            curves = _read_curves(connection)
            drift = _describe_drift(connection)
            checks = _count_checks(self._store, connection)
        return {
            "enabled": settings.enabled,
            "learn_after": settings.learn_after,
            "checks": checks,
            "in_use": self.models.in_use(),
            "learning": None if learning is None else {"since": learning.since, "checks": learning.checks},
            "last": last,
            "accuracy": _describe_accuracy(checked, curves),
            "calibration": _describe_calibration(checked),
            "drift": drift,
        }

    def change(self, *, enabled: bool | None = None, learn_after: int | None = None) -> dict[str, Any]:
        """Change the settings. Raises `InvalidFieldsError` for an invalid number of checks."""
        if learn_after is not None and not 1 <= learn_after <= _MOST_CHECKS:
            raise InvalidFieldsError(InvalidField("learn_after", f"it must be 1 to {_MOST_CHECKS:,}"))
        with writing(self._store.engine) as connection:
            settings = read_settings(connection)
            wanted = LearningSettings(
                settings.enabled if enabled is None else enabled,
                settings.learn_after if learn_after is None else learn_after,
            )
            write_settings(connection, wanted)
        self._worker.wake()
        return self.describe()

    def learn(self, base: str | None, name: str | None, who: str | None) -> None:
        """Request a version that learns from all checks so far. It is made in the background, as a candidate.

        Raises `NotStoredError` for a base that labels no batch, and `ConflictError` if nothing was checked.
        """
        with writing(self._store.engine) as connection:
            number = _find_base(connection, base)
            checked = _count_checks(self._store, connection)["total"]
            if checked < FEWEST_LABELS:
                raise TooFewChecksError(
                    f"{checked} products have been checked, and learning needs {FEWEST_LABELS}",
                    fix="Check some more products first.",
                )
            add_request(connection, LearningRequest(number, name, who))
        self._worker.wake()

    def promote(self, id_: str, reason: str | None) -> dict[str, Any]:
        """Put a version into use, as `ShopModels.promote`. The batches are relabelled in the background."""
        found = self.models.promote(id_, reason)
        self._worker.wake()
        return found

    def roll_back(self, base: str | None = None) -> dict[str, Any] | None:
        """Put the previous version back into use, as `ShopModels.roll_back`. The batches follow in the background."""
        found = self.models.roll_back(base)
        self._worker.wake()
        return found

    def undo(self) -> dict[str, Any] | None:
        """Roll back what hangtag last learned automatically. Raises `ConflictError` if something else is in use."""
        with self._store.engine.connect() as connection:
            last = read_learnt(connection)
        if last is None:
            raise ConflictError(
                "the version that was learned last is no longer in use, so there is nothing to undo"
            )
        base = self.models.get(last["model"])["base"]["id"]
        return self.roll_back(base)


class TooFewChecksError(ConflictError):
    """There are too few checks to learn from."""

    code = "too_few_checks"


def _count_checks(store: Store, connection: Connection) -> dict[str, int]:
    """Return how many products people checked in total, and since a version last learned from them."""
    total = connection.execute(
        select(func.count())
        .select_from(ProductRow)
        .where(~ProductRow.removed, ProductRow.state != "to_check")
    ).scalar_one()
    used = connection.execute(select(BatchRow.model).where(~BatchRow.archived).distinct()).scalars().all()
    bases = {store.base_of(connection, model) for model in used}
    return {"total": int(total), "since": sum(find_new_checks(connection, base).count for base in bases)}


def _find_base(connection: Connection, id_: str | None) -> int:
    """Return the number of the base with an id, or of the base that labels the most recently changed batch."""
    statement = (
        select(func.coalesce(ModelRow.base, ModelRow.number))
        .join(BatchRow, BatchRow.model == ModelRow.number)
        .where(~BatchRow.archived)
        .order_by(BatchRow.updated.desc())
    )
    if id_ is not None:
        numbers = select(ModelRow.number).where(ModelRow.id == id_)
        statement = statement.where(func.coalesce(ModelRow.base, ModelRow.number).in_(numbers))
    found = connection.execute(statement).scalars().first()
    if found is None:
        raise NotStoredError("no batch is labelled by that model", fix="GET /api/v1/models lists the models.")
    return int(found)


def _read_control(connection: Connection) -> list[DatabaseRow[Any]]:
    """Return the random checks that count, of all batches that are not archived."""
    batches = connection.execute(select(BatchRow.number).where(~BatchRow.archived)).scalars().all()
    numbers = [
        number for batch in batches for number in take_checked(connection, read_control(connection, batch))
    ]
    columns = (ProductRow.predicted, ProductRow.said)
    found: list[DatabaseRow[Any]] = []
    for part in iter_parts(numbers):
        found += connection.execute(select(*columns).where(ProductRow.number.in_(part))).all()
    return [row for row in found if row.predicted is not None]


def _read_curves(connection: Connection) -> dict[str, dict[int, float]]:
    """Return the accuracy on the random checks by the number of learned checks, over all versions, by attribute."""
    statement = select(ShopModelRow.learnt_from, ShopModelRow.figures).order_by(ShopModelRow.number)
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for learnt_from, figures in connection.execute(statement):
        for column, found in figures.items():
            if found["before"] is not None and found["before"]["checked"] >= FEWEST_CHECKED:
                curves[column].setdefault(1, found["before"]["share"])
            if found["shop"] is not None and found["shop"]["checked"] >= FEWEST_CHECKED:
                curves[column][learnt_from["checks"]] = found["shop"]["share"]
    return curves


def _describe_accuracy(
    checked: Sequence[DatabaseRow[Any]], curves: Mapping[str, Mapping[int, float]]
) -> dict[str, Any]:
    described = {}
    for column, answers in _pair(checked).items():
        found = measure_accuracy(np.array([answer == said for answer, _, said in answers], np.bool_))
        if found is None:
            continue
        low, high = found.interval
        described[column] = {
            "checked": found.checked,
            "share": found.share,
            "low": low,
            "high": high,
            "effort": _estimate(curves.get(column, {}), found.share),
        }
    return described


def _estimate(curve: Mapping[int, float], share: float) -> dict[str, Any] | None:
    """Return the next round accuracy and how many more checks it probably takes; None if unknown."""
    target = next((target for target in _TARGETS if target > share), None)
    if target is None or not curve:
        return None
    needed = estimate_labels(curve, target)
    more = None if needed is None else needed - max(curve)
    return None if more is None or more <= 0 else {"target": target, "checks": more}


def _describe_calibration(checked: Sequence[DatabaseRow[Any]]) -> dict[str, Any]:
    return {
        column: {
            "stated": float(np.mean([confidence for _, confidence, _ in answers])),
            "right": float(np.mean([answer == said for answer, _, said in answers])),
            "checked": len(answers),
        }
        for column, answers in _pair(checked).items()
    }


def _pair(checked: Sequence[DatabaseRow[Any]]) -> dict[str, list[tuple[str, float, str]]]:
    """Return the prediction, its confidence and the person's label, for each random check, by attribute."""
    pairs: dict[str, list[tuple[str, float, str]]] = defaultdict(list)
    for row in checked:
        for column, (answer, confidence) in row.predicted["values"].items():
            if column in row.said:
                pairs[column].append((answer, confidence, row.said[column]["value"]))
    return dict(pairs)


def _describe_drift(connection: Connection) -> list[dict[str, Any]]:
    """Return figures on how the model sees the products of each of the last weeks, the latest first."""
    since = now() - timedelta(weeks=WEEKS)
    statement = (
        select(BatchRow.created, ProductRow.predicted, ProductRow.labels, ProductRow.state)
        .join(BatchRow, BatchRow.number == ProductRow.batch)
        .where(BatchRow.created >= since, ~ProductRow.removed)
    )
    weeks: dict[str, list[DatabaseRow[Any]]] = defaultdict(list)
    for row in connection.execute(statement):
        if row.predicted is not None:
            monday = row.created.date() - timedelta(days=row.created.weekday())
            weeks[monday.isoformat()].append(row)
    return [_describe_week(week, weeks[week]) for week in sorted(weeks, reverse=True)]


def _describe_week(week: str, rows: Sequence[DatabaseRow[Any]]) -> dict[str, Any]:
    count = len(rows)
    confidences = [
        confidence for row in rows for _, confidence in list(row.predicted["values"].values())[-1:]
    ]
    classes: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for column, label in row.labels.items():
            classes[column][label] += 1
    return {
        "week": week,
        "products": count,
        "mean_confidence": float(np.mean(confidences)) if confidences else None,
        "ood_share": sum(Flag.NOT_A_PRODUCT.value in row.predicted["flags"] for row in rows) / count,
        "corrected_share": sum(row.state == "corrected" for row in rows) / count,
        "classes": {
            column: {label: number / count for label, number in found.most_common(_SHOWN_CLASSES)}
            for column, found in classes.items()
        },
    }
