"""Measuring a bundle on labelled photos: a report with the same figures for every model."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hangtag.bundle.card import Card
from hangtag.datasets.interface import OnProgress, silent
from hangtag.datasets.splits import GROUP_COLUMN, SPLIT_COLUMN, TRAIN
from hangtag.evaluation.answers import PhotoAnswers, Truth, answer_photos, read_truth
from hangtag.evaluation.heads import (
    Report,
    as_json_number,
    measure_answers,
    measure_head,
    measure_ood_detector,
    measure_together,
)
from hangtag.evaluation.metrics import Bools, Ints, macro_f1, share
from hangtag.evaluation.photo_set import PhotoSet
from hangtag.evaluation.seen import judge
from hangtag.inference.calibration import wilson_interval
from hangtag.inference.predicting import Predictor
from hangtag.tables.tables import need_columns

COMPARED_COLUMN: Final = "gender"
"""The target group of the products. A model could serve these groups differently well."""


def measure_parts(photos: PhotoSet, answers: PhotoAnswers, truths: Mapping[str, Truth]) -> Report:
    """Return the figures for parts of a set.

    `by` has, if the set has the column gender, a part for each label. `apart_from_train`, if the split table is known,
    are the photos without an exact or near duplicate among the train photos; if the split keeps duplicates on one
    side, these are all photos.
    """
    parts: Report = {}
    if COMPARED_COLUMN in answers.rows.column_names:
        labels = np.array(answers.rows[COMPARED_COLUMN].to_pylist(), dtype=object)
        names = sorted({label for label in labels if label})
        parts["by"] = {
            COMPARED_COLUMN: {name: _measure_part(answers, truths, labels == name) for name in names}
        }
    table = photos.split_table
    if table is not None and GROUP_COLUMN in table.column_names and photos.name != TRAIN:
        apart = ~_has_relative_in_train(answers.rows, table)
        parts["apart_from_train"] = _measure_part(answers, truths, apart)
    return parts


def _has_relative_in_train(rows: pa.Table, split_table: pa.Table) -> Bools:
    trained = split_table.filter(pc.equal(split_table[SPLIT_COLUMN], TRAIN))[GROUP_COLUMN]
    return np.array(pc.is_in(rows[GROUP_COLUMN], value_set=trained.combine_chunks()).to_pylist(), np.bool_)


def _measure_part(answers: PhotoAnswers, truths: Mapping[str, Truth], part: Bools) -> Report:
    predictions = answers.predictions[part]
    known = {column: Truth(truth.indices[part], truth.labels) for column, truth in truths.items()}
    together = measure_together(predictions, known)
    return {
        "photos": int(part.sum()),
        "heads": {
            column: _measure_head(predictions.label_indices[column], truth) for column, truth in known.items()
        },
        "all_right": {name: together[name] for name in ("rate", "interval_95", "support")},
    }


def _measure_head(answers: Ints, truth: Truth) -> Report:
    known, chosen = truth.indices[truth.counted], answers[truth.counted]
    hits = chosen == known
    return {
        "top1_accuracy": as_json_number(share(hits)),
        "interval_95": list(wilson_interval(int(hits.sum()), len(hits))),
        "macro_f1": as_json_number(macro_f1(known, chosen)),
        "support": len(known),
    }


@dataclass(frozen=True, slots=True)
class Measurement:
    """A report with its sources: the model's card, its predictions and the true labels of the reported heads."""

    card: Card
    answers: PhotoAnswers
    truths: Mapping[str, Truth]
    report: Report


def measure(
    model: Predictor, photos: PhotoSet, threads: int = 2, on_progress: OnProgress = silent
) -> Measurement:
    """Measure a model on labelled photos.

    A row without a label for a head is not counted for that head. A label that the model does not know is counted as
    wrong. Raises `CatalogueError` if the photos have no column that the model predicts.
    """
    card = model.card
    columns = [column for column in card.columns if column in photos.rows.column_names]
    if not columns:
        need_columns(photos.rows, list(card.columns), f"the table of {photos.name}")
    answers = answer_photos(model, photos, threads, on_progress)
    truths = {column: read_truth(answers.rows, card.head(column)) for column in columns}
    heads = {
        column: measure_head(card.head(column), answers.predictions, truth)
        for column, truth in truths.items()
    }
    report = {
        "model": {"name": card.name, "version": card.version},
        "split": {"name": photos.name, **photos.facts},
        "seen_in_training": judge(card, photos).to_json(),
        "photos": {
            "labelled": answers.rows.num_rows,
            "failed": {reason.value: count for reason, count in answers.failed.most_common()},
        },
        "heads": heads,
        "answers": _measure_answers(card, answers, truths),
        "not_a_product": measure_ood_detector(card, answers.predictions.flagged[:, 0]),
        "all_right": measure_together(answers.predictions, truths),
        "mean_top1_accuracy": _mean(head["top1_accuracy"] for head in heads.values()),
        "mean_macro_f1": _mean(head["macro_f1"] for head in heads.values()),
        "parts": measure_parts(photos, answers, truths),
    }
    return Measurement(card, answers, truths, report)


def _measure_answers(card: Card, answers: PhotoAnswers, truths: Mapping[str, Truth]) -> Report | None:
    """Return how deep the answers go, which back off when in doubt; None if a level has no labels."""
    predictions = answers.predictions
    levels = predictions.levels
    if not levels or not set(levels) <= set(truths):
        return None
    right = {level: predictions.label_indices[level] == truths[level].indices for level in levels}
    known = {level: truths[level].counted for level in levels}
    return measure_answers(card, levels, predictions.confident_depth, right, known)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
