"""`Predictions` as Arrow columns: the columns of every table of labels that hangtag writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from hangtag.domain.columns import (
    ANSWER,
    ANSWER_LEVEL,
    FAILED,
    FLAGS,
    LABELLED,
    PATH,
    REASON,
    STATUS,
    candidates_of,
    confidence_of,
)
from hangtag.domain.taxonomy import format_path

if TYPE_CHECKING:
    from hangtag.inference.predictions import Bools, Predictions

CANDIDATE_TYPE: Final = pa.struct([pa.field("label", pa.string()), pa.field("confidence", pa.float32())])
"""A candidate of a label: the column of candidates holds a list of them, the chosen one first."""


def build_table(predictions: Predictions, top_k: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a table of the columns that came with the photos, and of those of `build_columns` behind them."""
    names = dict.fromkeys(name for values in predictions.extra for name in values)
    extra = {name: pa.array([values.get(name) for values in predictions.extra]) for name in names}
    return pa.table(extra | build_columns(predictions, top_k))


def build_columns(predictions: Predictions, top_k: int) -> dict[str, Any]:
    """Return the columns of a table of labels by name, as Arrow arrays of n rows.

    A photo without labels has a reason, and null in every other column but its path and status.
    """
    is_failed = ~predictions.is_labelled
    columns = {
        PATH: pa.array(predictions.names, pa.string()),
        STATUS: pa.array(np.where(is_failed, FAILED, LABELLED).tolist(), pa.string()),
        REASON: pa.array([reason and reason.value for reason in predictions.reasons], pa.string()),
    }
    for column in predictions.columns:
        classes = pa.array(predictions.card.head(column).classes, pa.string())
        chosen = pa.array(predictions.label_indices[column], mask=is_failed)
        columns[column] = classes.take(chosen)
        columns[confidence_of(column)] = pa.array(predictions.confidence(column), mask=is_failed)
        if top_k > 1:
            columns[candidates_of(column)] = _build_candidates(predictions, column, top_k, is_failed)
    flags = [
        None if failed else list(found) for found, failed in zip(predictions.flags, is_failed, strict=True)
    ]
    return columns | {
        ANSWER: pa.array([format_path(answer) or None for answer in predictions.answers], pa.string()),
        ANSWER_LEVEL: pa.array(predictions.answer_levels, pa.string()),
        FLAGS: pa.array(flags, pa.list_(pa.string())),
    }


def _build_candidates(predictions: Predictions, column: str, top_k: int, is_failed: Bools) -> Any:  # noqa: ANN401
    indices, confidences = predictions.top_k(column, top_k)
    classes = pa.array(predictions.card.head(column).classes, pa.string())
    values = pa.StructArray.from_arrays(
        [classes.take(pa.array(indices[~is_failed].ravel())), pa.array(confidences[~is_failed].ravel())],
        fields=list(CANDIDATE_TYPE),
    )
    ends = np.cumsum(np.where(is_failed, 0, indices.shape[1]), dtype=np.int32)
    offsets = pa.array(np.concatenate([np.zeros(1, np.int32), ends]))
    return pa.ListArray.from_arrays(offsets, values, type=pa.list_(CANDIDATE_TYPE), mask=pa.array(is_failed))
