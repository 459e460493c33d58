"""How good a bundle is on one split: a report of plain figures, the same ones for every model."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from hangtag.bundle.card import HeadCard
from hangtag.catalogue.source import Catalogue
from hangtag.catalogue.split import read_split_facts
from hangtag.catalogue.tables import need_columns
from hangtag.evaluation.answers import (
    MISSING,
    HeadAnswers,
    SplitAnswers,
    answer_split,
    read_truth,
)
from hangtag.evaluation.metrics import (
    Bools,
    Ints,
    expected_calibration_error,
    macro_f1,
    share,
    wilson_interval,
)
from hangtag.inference.answering import AnsweringModel

Report = dict[str, Any]
"""JSON values; `docs/evaluation.md` says what each field means."""


def evaluate_model(
    model: AnsweringModel, split_table: pa.Table, catalogue: Catalogue, split: str = "test", threads: int = 2
) -> Report:
    """Measure a model on one split of a split table.

    A row without a label for a head is not counted for that head. A label that the model does not know is counted,
    and is wrong. Raises `UsageError` when the split has no rows and `CatalogueError` when the table is no split table
    or has no column that the model answers.
    """
    columns = [column for column in model.card.columns if column in split_table.column_names]
    if not columns:
        need_columns(split_table, list(model.card.columns), "the split table")
    answers = answer_split(model, split_table, catalogue, split, threads)
    truths = {column: read_truth(answers.rows, model.card.head(column)) for column in columns}
    heads = {
        column: _measure_head(model.card.head(column), answers.heads[column], truths[column])
        for column in columns
    }
    return {
        "model": {"name": model.card.name, "version": model.card.version},
        "split": {"name": split, **read_split_facts(split_table)},
        "photos": {
            "labelled": answers.rows.num_rows,
            "failed": {reason.value: count for reason, count in answers.failed.most_common()},
        },
        "heads": heads,
        "all_right": _measure_together(answers, truths),
        "mean_top1_accuracy": _mean(head["top1_accuracy"] for head in heads.values()),
        "mean_macro_f1": _mean(head["macro_f1"] for head in heads.values()),
    }


def _measure_head(head: HeadCard, answers: HeadAnswers, truth: Ints) -> Report:
    counted = truth != MISSING
    known = truth[counted]
    chosen, top = answers.chosen[counted], answers.top[counted]
    hits = chosen == known
    return {
        "top1_accuracy": _number(share(hits)),
        "interval_95": list(wilson_interval(int(hits.sum()), len(hits))),
        "top3_accuracy": _number(share((top == known[:, None]).any(axis=1))),
        "macro_f1": _number(macro_f1(known, chosen)),
        "expected_calibration_error": _number(expected_calibration_error(answers.confidence[counted], hits)),
        "support": len(known),
        "classes": len(np.unique(known)),
        "missing_labels": int((~counted).sum()),
        "unknown_labels": int((known >= len(head.classes)).sum()),
    }


def _measure_together(answers: SplitAnswers, truths: dict[str, Ints]) -> Report:
    """Measure how often every head is right, over the rows that have a label for each."""
    complete: Bools = np.all([truth != MISSING for truth in truths.values()], axis=0)
    right: Bools = np.all([answers.heads[column].chosen == truth for column, truth in truths.items()], axis=0)
    hits = right[complete]
    return {
        "rate": _number(share(hits)),
        "interval_95": list(wilson_interval(int(hits.sum()), len(hits))),
        "support": len(hits),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _number(value: float) -> float | None:
    """Return the figure as JSON knows it: of nothing there is none."""
    return None if math.isnan(value) else value
