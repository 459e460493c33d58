"""How good a bundle is on labelled photos: a report of plain figures, the same ones for every model."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from hangtag.bundle.card import Card
from hangtag.datasets.opening import Catalogue
from hangtag.datasets.parallel import OnProgress, silent
from hangtag.evaluation.answers import PhotoAnswers, Truth, answer_photos, read_truth
from hangtag.evaluation.coverage import measure_answers, measure_ood_detector
from hangtag.evaluation.heads import Report, measure_head, measure_together
from hangtag.evaluation.parts import measure_parts
from hangtag.evaluation.photo_set import PhotoSet, split_photos
from hangtag.evaluation.seen import judge
from hangtag.inference.predicting import Predictor
from hangtag.tables.tables import need_columns


@dataclass(frozen=True, slots=True)
class Measurement:
    """A report and what it was made from: the model's card, its answers and the truths of the heads in the report."""

    card: Card
    answers: PhotoAnswers
    truths: Mapping[str, Truth]
    report: Report


def evaluate_model(
    model: Predictor, split_table: pa.Table, catalogue: Catalogue, split: str = "test", threads: int = 2
) -> Report:
    """Measure a model on one split of a split table and return the report.

    Raises as `measure` does, and as `split_photos`.
    """
    return measure(model, split_photos(split_table, catalogue, split), threads).report


def measure(
    model: Predictor, photos: PhotoSet, threads: int = 2, on_progress: OnProgress = silent
) -> Measurement:
    """Measure a model on labelled photos.

    A row without a label for a head is not counted for that head. A label that the model does not know is counted,
    and is wrong. Raises `CatalogueError` when the photos have no column that the model answers.
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
    """Return how far the answers go that back off; None where the photos have no labels at some level."""
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
