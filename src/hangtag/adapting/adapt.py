"""The adapting stage: from a bundle and examples to adapted heads and their accuracy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hangtag.adapting.examples import Examples, Lesson, extend_statistics, group_alike, plan_lesson
from hangtag.adapting.fitting import PENALTY, BaseMetric, Labelled, fit_shift, widen_logits
from hangtag.adapting.forgetting import ALLOWED_POINTS, HomeCheck
from hangtag.bundle.card import Card, GoldenCheck, HeadCard
from hangtag.bundle.file import Bundle, write_model
from hangtag.bundle.graph import replace_metadata
from hangtag.bundle.heads import GraphHeads, HeadShift
from hangtag.bundle.statistics import STATISTICS_KEY, read_statistics, render_statistics
from hangtag.domain.errors import BundleError
from hangtag.imaging.preprocess import prepare_photo
from hangtag.inference.calibration import (
    FEWEST_ANSWERED,
    choose_thresholds,
    fit_temperatures,
    recalibrate,
    widen_ood_threshold,
    wilson_interval,
)
from hangtag.inference.engine import Engine
from hangtag.inference.predictions import NO_LABEL
from hangtag.inference.probabilities import PathDecoder, PredictionBuilder

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DATA_KEY: Final = "adapted"
"""The key in a card's data with what a bundle was adapted from and to."""

LABELLED_KEY: Final = "labelled"
"""The key in it that names the labelled sets that were learned."""

_FOLDS_OF_FEW, _FOLDS, _FOLDS_OF_MANY = 10, 5, 3
_FEW: Final = 100
_MANY: Final = 500
_OFTEN_RIGHT: Final = 0.8
_VERY_MANY: Final = 4000
_CALIBRATED_BY: Final = 3000
_PENALTY_FACTOR: Final = 3.0
_MAX_PENALTY: Final = 3.0 * PENALTY
_SHARPEST: Final = 0.5  # for a temperature: a few labels that are all right do not show how confident to be
_USUAL_TARGET: Final = 0.98


@dataclass(frozen=True, slots=True)
class ColumnResult:
    """The accuracy of a column on the shop's photos, by cross-validation: 0 to 1, before and after.

    `before` is None for a new column; `interval` is that of `after`, at 95 %. `new_classes` are those that the model
    did not know. `is_changed` is False for a head that did not improve and stays unchanged.
    """

    labels: int
    before: float | None
    after: float
    interval: tuple[float, float]
    new_classes: tuple[str, ...]
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Adapted:
    """An adapted bundle that is not written yet: its graph and its card, with the base's golden logits.

    `forgotten` is how many points the mean accuracy of the heads falls on the base's photos, estimated from their
    statistics, and `lost` the same for each changed head; None if unknown. `shifts` are what these heads learned.
    """

    model_bytes: bytes
    card: Card
    columns: Mapping[str, ColumnResult]
    forgotten: float
    left_out: Mapping[str, Mapping[str, int]]
    lost: Mapping[str, float | None]
    shifts: Mapping[str, HeadShift]


class Adapter:
    """A bundle that is ready to learn. Everything that does not depend on labels is computed once.

    Raises `BundleError` for a bundle without embedding or statistics.
    """

    def __init__(self, bundle: Bundle) -> None:
        statistics = read_statistics(bundle)
        if bundle.card.embedding is None or statistics is None:
            raise BundleError(
                f"{bundle.card.name} cannot be adapted: it holds no {_missing(bundle.card)} of its training photos",
                where=bundle.path,
                fix="Start from the shipped model, or train one with this version of hangtag.",
            )
        self.bundle = bundle
        self.embedding = bundle.card.embedding.output
        self._statistics = statistics
        self._metric = BaseMetric(statistics)
        self._heads = GraphHeads(bundle.model_bytes, self.embedding)
        self._home = HomeCheck(statistics, self._heads, self._metric)

    def adapt(
        self,
        examples: Examples,
        name: str,
        target_accuracy: float | None = None,
        learnt_from: Sequence[str] = (),
    ) -> Adapted:
        """Return the bundle with heads that have learned the examples; `learnt_from` names the origin of these.

        A head that is not more accurate by cross-validation stays unchanged. The thresholds are chosen for
        `target_accuracy`; None keeps the bundle's. Raises `UsageError` if there is nothing to learn.
        """
        card = self.bundle.card
        lesson = plan_lesson(card, examples)
        rotated = self._metric.rotate(examples.outputs[self.embedding])
        labelled = {
            column: Labelled(rotated, self._logits(examples, column), lesson.targets[column], len(classes))
            for column, classes in lesson.classes.items()
        }
        embedding = examples.outputs[self.embedding]
        groups = group_alike(embedding)
        trials = {
            column: self._cross_validate(column, rows, embedding, groups) for column, rows in labelled.items()
        }
        gained = {column for column, trial in trials.items() if _is_gain(trial, labelled[column])}
        fitted = {
            column: self._fit(column, labelled[column], trials[column].penalty, trials[column].shift)
            for column in sorted(gained)
        }
        changed = _with_heads(card, lesson, gained)
        outputs = {**examples.outputs, **{column: trials[column].logits for column in gained}}
        judged = _narrow(lesson, trials)
        changed = _calibrate(changed, outputs, judged, gained, target_accuracy)
        shifts = {column: shift for column, (shift, *_) in fitted.items()}
        lost = {column: points for column, (_, points, _) in fitted.items()}
        forgotten = _mean_lost(lost, len(card.heads))
        columns = {
            column: replace(result, labels=int((lesson.targets[column] != NO_LABEL).sum()))
            for column, result in self._compare(changed, outputs, examples, judged, gained)
        }
        statistics = extend_statistics(self._statistics, embedding, lesson, gained)
        model = replace_metadata(self._heads.render(shifts), STATISTICS_KEY, render_statistics(statistics))
        learnt = self._lineage(len(examples), columns, forgotten) | {LABELLED_KEY: list(learnt_from)}
        today = datetime.now(UTC).date()
        changed = replace(
            changed,
            name=name,
            version=today.strftime("%Y.%m.%d"),
            created=today.isoformat(),
            description=f"{card.name} {card.version}, adapted to {len(examples):,} labelled photos.",
            metrics={},
            data={**changed.data, DATA_KEY: learnt},
        )
        return Adapted(model, changed, columns, forgotten, lesson.left_out, lost, shifts)

    def _fit(
        self, column: str, labelled: Labelled, penalty: float, start: HeadShift | None
    ) -> tuple[HeadShift, float | None, float]:
        """Return the shift of a head, its loss on base photos, and the penalty that keeps it small.

        The leaf of the category may lose more: it matters most to a shop, and hardly lowers the mean of the heads. If
        the loss is unknown, the strongest penalty is used.
        """
        known = _take(labelled, labelled.targets != NO_LABEL)
        is_leaf = column == next(reversed(self.bundle.card.taxonomy.levels), None)
        while True:
            start = fit_shift(self._metric, known, penalty, start)
            lost = self._home.lost_points(column, start)
            is_little = is_leaf or (lost is not None and lost <= ALLOWED_POINTS)
            if is_little or penalty >= _MAX_PENALTY:
                return start, lost, penalty
            penalty = _MAX_PENALTY if lost is None else penalty * _PENALTY_FACTOR

    def _cross_validate(self, column: str, labelled: Labelled, embedding: Floats, groups: Ints) -> "_Trial":
        """Return a head's logits for photos that it did not learn from.

        If there are very many labels, only one part is tested. The penalty is chosen on the first part.
        """
        known = labelled.targets != NO_LABEL
        parts, tested_parts = _count_parts(int(known.sum()))
        part_of = (np.random.default_rng(0).permutation(groups.max() + 1) % parts)[groups]
        logits, tested = widen_logits(labelled.logits, labelled.classes), part_of < tested_parts
        first, penalty = None, PENALTY
        for part in range(tested_parts):
            inside = part_of == part
            if not (known & ~inside).any():
                continue
            learnt = _take(labelled, known & ~inside)
            if first is None:
                shift, _, penalty = self._fit(column, learnt, penalty, None)
                first = shift
            else:
                shift = fit_shift(self._metric, learnt, penalty)
            logits[inside] = shift.apply(embedding[inside], labelled.logits[inside])
        return _Trial(logits, tested, penalty, first)

    def _logits(self, examples: Examples, column: str) -> Floats:
        if column in self.bundle.card.columns:
            return examples.outputs[column]
        return np.zeros((len(examples), 0), np.float32)

    def _compare(
        self,
        changed: Card,
        outputs: Mapping[str, Floats],
        examples: Examples,
        lesson: Lesson,
        gained: set[str],
    ) -> Iterator[tuple[str, ColumnResult]]:
        card = self.bundle.card
        before = PredictionBuilder(card).build(examples.outputs).label_indices
        after = PredictionBuilder(changed).build(outputs).label_indices
        for column, targets in lesson.targets.items():
            if column not in after:
                continue
            known = targets != NO_LABEL
            hits, count = int((after[column] == targets)[known].sum()), int(known.sum())
            was = float((before[column] == targets)[known].mean()) if column in before else None
            past = len(card.head(column).classes) if column in card.columns else 0
            yield (
                column,
                ColumnResult(
                    count,
                    was,
                    hits / count,
                    wilson_interval(hits, count),
                    lesson.classes[column][past:],
                    column in gained,
                ),
            )

    def _lineage(self, photos: int, columns: Mapping[str, ColumnResult], forgotten: float) -> dict[str, Any]:
        card = self.bundle.card
        return {
            "from": {"name": card.name, "version": card.version, "sha256": self.bundle.sha256},
            "photos": photos,
            "columns": {
                column: {
                    **asdict(result),
                    "interval": list(result.interval),
                    "new_classes": list(result.new_classes),
                }
                for column, result in columns.items()
            },
            "forgotten_points": round(forgotten, 3),
            "metrics_before": dict(card.metrics),
        }


@dataclass(frozen=True, slots=True)
class _Trial:
    """The cross-validation of a head.

    `logits` (n, classes) are for photos that it did not learn from where `tested` (n,). `penalty` is the strength
    that was needed, and `shift` what it learned from most of the photos.
    """

    logits: Floats
    tested: Bools
    penalty: float
    shift: HeadShift | None


def write_adapted(adapted: Adapted, base: Card, path: Path) -> Card:
    """Write an adapted bundle with new logits for its base's golden photos, atomically. Return its card.

    Raises `BundleError` if the graph cannot be run, and `OSError` if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft.onnx")
    try:
        write_model(adapted.model_bytes, adapted.card, draft)
        engine = Engine(draft, precision="fp32", threads=1)
    finally:
        draft.unlink(missing_ok=True)
    checks = []
    for check in base.golden:
        answers = engine.run(prepare_photo(check.photo, base.preprocessing)[None])
        logits = {
            column: [round(float(value), 4) for value in answers[column][0]]
            for column in adapted.card.columns
        }
        checks.append(GoldenCheck(check.photo_png_base64, logits))
    card = replace(adapted.card, golden=checks)
    write_model(adapted.model_bytes, card, path)
    return card


def _count_parts(labels: int) -> tuple[int, int]:
    """Return into how many parts photos are divided, and how many of them are used for testing."""
    if labels >= _VERY_MANY:
        return _FOLDS, 1
    folds = _FOLDS_OF_FEW if labels < _FEW else _FOLDS if labels < _MANY else _FOLDS_OF_MANY
    return folds, folds


def _is_gain(trial: _Trial, labelled: Labelled) -> bool:
    """Return whether learning made a head more accurate. One with a new class always counts.

    With few labels, a head that is often wrong may come out even, as it misses those held out for testing.
    """
    if labelled.logits.shape[1] < labelled.classes:
        return True
    asked = trial.tested & (labelled.targets != NO_LABEL)
    after = (trial.logits.argmax(axis=1) == labelled.targets)[asked].sum()
    before = (labelled.logits.argmax(axis=1) == labelled.targets)[asked].sum()
    return bool(after > before or (after == before and before < _OFTEN_RIGHT * asked.sum()))


def _narrow(lesson: Lesson, trials: Mapping[str, _Trial]) -> Lesson:
    """Return the lesson with only the labels of the photos on which heads were tested."""
    targets = {
        column: np.where(trial.tested, lesson.targets[column], NO_LABEL) for column, trial in trials.items()
    }
    return replace(lesson, targets=targets)


def _take(labelled: Labelled, chosen: Bools) -> Labelled:
    return Labelled(
        labelled.rotated[chosen], labelled.logits[chosen], labelled.targets[chosen], labelled.classes
    )


def _mean_lost(lost: Mapping[str, float | None], heads: int) -> float:
    """Return the mean loss of the heads in points. One that could not be measured counts as the worst of the others."""
    measured = [points for points in lost.values() if points is not None]
    worst = max(measured, default=0.0)
    return sum(worst if points is None else points for points in lost.values()) / heads


def _missing(card: Card) -> str:
    return "embedding" if card.embedding is None else "statistics"


def _with_heads(card: Card, lesson: Lesson, gained: set[str]) -> Card:
    """Return the card with the learned classes, without golden logits, which are another model's now."""
    heads = [
        replace(head, classes=lesson.classes[head.column]) if head.column in gained else head
        for head in card.heads
    ]
    heads += [
        HeadCard(column, lesson.classes[column]) for column in lesson.classes if column not in card.columns
    ]
    return replace(card, heads=heads, taxonomy=lesson.taxonomy, golden=())


def _calibrate(
    card: Card,
    outputs: Mapping[str, Floats],
    lesson: Lesson,
    gained: set[str],
    target_accuracy: float | None,
) -> Card:
    """Return the card with confidences and thresholds calibrated on photos that the heads did not learn from.

    Unchanged heads, and those without labels, keep theirs.
    """
    unknown = np.full(len(next(iter(outputs.values()))), NO_LABEL, np.int64)
    targets = {head.column: lesson.targets.get(head.column, unknown) for head in card.heads}
    levels = PathDecoder.from_card(card).levels
    fit = recalibrate if gained.intersection(levels) else fit_temperatures
    fitted = fit(card, *_draw(_CALIBRATED_BY, outputs, targets))
    touched = {*gained, *(levels if gained.intersection(levels) else ())}
    heads = [
        replace(new, temperature=max(new.temperature, _SHARPEST)) if new.column in touched else old
        for old, new in zip(card.heads, fitted.heads, strict=True)
    ]
    card = replace(card, heads=heads)
    target = target_accuracy or card.target_accuracy or _USUAL_TARGET
    predictions = PredictionBuilder(card).build(outputs)
    chosen = choose_thresholds(card, predictions, targets, target)
    counted = {column for column in targets if (targets[column] != NO_LABEL).sum() >= FEWEST_ANSWERED}
    heads = [
        new if new.column in counted | gained else old
        for old, new in zip(card.heads, chosen.heads, strict=True)
    ]
    card = replace(card, heads=heads, target_accuracy=target)
    return card if predictions.ood_score is None else widen_ood_threshold(card, [predictions.ood_score])


def _draw(
    most: int, outputs: Mapping[str, Floats], targets: Mapping[str, Ints]
) -> tuple[dict[str, Floats], dict[str, Ints]]:
    """Draw up to this many labelled rows: a temperature is one number, and thousands of photos do not improve it."""
    labelled = np.flatnonzero(np.any([values != NO_LABEL for values in targets.values()], axis=0))
    rows = np.sort(np.random.default_rng(0).permutation(labelled)[:most])
    return (
        {name: values[rows] for name, values in outputs.items()},
        {column: values[rows] for column, values in targets.items()},
    )
