"""The same figures for parts of a set: whether a model serves some products worse, and what duplicates flatter."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hangtag.datasets.splits import GROUP_COLUMN, SPLIT_COLUMN, TRAIN
from hangtag.evaluation.answers import PhotoAnswers, Truth
from hangtag.evaluation.heads import Report, as_json_number, measure_together
from hangtag.evaluation.metrics import Bools, Ints, macro_f1, share, wilson_interval
from hangtag.evaluation.photo_set import PhotoSet

COMPARED_COLUMN: Final = "gender"
"""For whom the products are: the groups of people that a model could serve differently well."""


def measure_parts(photos: PhotoSet, answers: PhotoAnswers, truths: Mapping[str, Truth]) -> Report:
    """Return the figures of the parts of a set.

    `by` holds, for the column gender where the set has it, a part for each label. `apart_from_train`, where the split
    table is known, are the photos without an exact or near duplicate among the train photos; on a split that keeps
    duplicates on one side these are all of them.
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
