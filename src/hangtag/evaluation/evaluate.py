"""How good a bundle is on one split: a report of plain figures, the same ones for every model."""

import math
from collections.abc import Iterable

import pyarrow as pa

from hangtag.catalogue.source import Catalogue
from hangtag.catalogue.split import read_split_facts
from hangtag.catalogue.tables import need_columns
from hangtag.evaluation.answers import answer_split, read_truth
from hangtag.evaluation.heads import Report, measure_head, measure_together
from hangtag.inference.answering import AnsweringModel


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
        column: measure_head(model.card.head(column), answers.heads[column], truths[column])
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
        "all_right": measure_together(answers.heads, truths),
        "mean_top1_accuracy": _mean(head["top1_accuracy"] for head in heads.values()),
        "mean_macro_f1": _mean(head["macro_f1"] for head in heads.values()),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
