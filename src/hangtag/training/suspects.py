"""Training without suspect labels: they become unknown, and the product's other labels are kept."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hangtag.datasets.splits import SPLIT_COLUMN, TRAIN
from hangtag.domain.columns import ID
from hangtag.tables.tables import need_columns, read_table
from hangtag.tables.writing import restore_text


class SuspectLabel(NamedTuple):
    """A suspect label: the product's id, the column, and the given label."""

    id: str
    column: str
    given: str


def read_suspects(path: Path) -> list[SuspectLabel]:
    """Read `suspects.csv` of `hangtag check --labels`, or any table with the columns `id`, `column` and `given`.

    Raises `CatalogueError` for a file that is none.
    """
    table = read_table(path)
    need_columns(table, list(SuspectLabel._fields), path)
    columns = (table[name].to_pylist() for name in SuspectLabel._fields)
    return [
        SuspectLabel(*(restore_text(value or "") for value in values))
        for values in zip(*columns, strict=True)
    ]


def forget_labels(table: pa.Table, suspects: Iterable[SuspectLabel]) -> tuple[pa.Table, dict[str, int]]:
    """Return the split table with suspect labels of train rows missing, and how many they are by column.

    Validation and test keep all labels, so that figures with and without suspects are of the same photos. A label that
    has changed since is kept, and so are all labels of a class that would be left without any: it could not be learnt.
    """
    by_column: dict[str, dict[str, str]] = {}
    for suspect in suspects:
        by_column.setdefault(suspect.column, {})[suspect.id] = suspect.given
    in_train = np.array([split == TRAIN for split in table[SPLIT_COLUMN].to_pylist()], bool)
    counts = {}
    for column, given in by_column.items():
        if column in table.column_names:
            labels, counts[column] = _forget(table, column, given, in_train)
            table = table.set_column(table.schema.get_field_index(column), column, labels)
    return table, counts


def _forget(
    table: pa.Table,
    column: str,
    given: Mapping[str, str],
    in_train: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> tuple[pa.Array, int]:
    labels = np.array(table[column].to_pylist(), dtype=object)
    accused = np.array([given.get(id_) for id_ in table[ID].to_pylist()], dtype=object)
    forgotten = in_train & np.array([label is not None for label in labels], bool) & (labels == accused)
    left = set(labels[in_train & ~forgotten])
    forgotten &= np.array([label in left for label in labels], bool)
    return pa.array(labels, pa.string(), mask=forgotten), int(forgotten.sum())
