"""Out-of-fold predictions: for each photo, the probabilities from a model that was trained without it.

There is one row per photo. For each label column there are two columns: the given label under the column's own name,
and `COLUMN_probabilities`, float16 lists of one length, in the class order given in the schema's metadata.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hangtag.domain.columns import ID
from hangtag.domain.errors import UsageError
from hangtag.tables.tables import PARQUET_SUFFIXES, read_table, write_table

METADATA_KEY: Final = b"hangtag.out_of_fold"
_BUNDLE_SUFFIX: Final = ".onnx"
_FOLD: Final = "fold"
_PHOTO: Final = "photo"
_PROBABILITIES: Final = "_probabilities"


@dataclass(frozen=True, slots=True)
class HeadGuesses:
    """The given labels of n photos in one column, and the models' probabilities, float32 (n, classes).

    A probability is NaN if the model had seen no photo of the class, and so could not predict it.
    """

    labels: tuple[str | None, ...]
    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """The out-of-fold predictions of n photos by column. `folds` is the fold of each photo, counted from 1.

    `facts` say how they were made: the recipe, the number of folds.
    """

    ids: tuple[str, ...]
    photos: tuple[str, ...]
    folds: tuple[int, ...]
    heads: Mapping[str, HeadGuesses]
    facts: Mapping[str, Any]


def write_out_of_fold(guesses: OutOfFold, path: Path) -> None:
    """Write out-of-fold predictions as Parquet. Raises `CatalogueError` if the file cannot be written."""
    columns: dict[str, pa.Array] = {
        ID: pa.array(guesses.ids, pa.string()),
        _PHOTO: pa.array(guesses.photos, pa.string()),
        _FOLD: pa.array(guesses.folds, pa.int16()),
    }
    for column, head in guesses.heads.items():
        flat = pa.array(head.probabilities.astype(np.float16).ravel())
        columns[column] = pa.array(head.labels, pa.string())
        columns[column + _PROBABILITIES] = pa.FixedSizeListArray.from_arrays(flat, len(head.classes))
    classes = {column: head.classes for column, head in guesses.heads.items()}
    said = json.dumps({"facts": dict(guesses.facts), "classes": classes})
    write_table(pa.table(columns).replace_schema_metadata({METADATA_KEY: said}), path)


def read_out_of_fold(path: Path) -> OutOfFold:
    """Read out-of-fold predictions.

    Raises `UsageError` for a missing or different file, such as a bundle, and `CatalogueError` for a damaged one.
    """
    fix = "Make it with `hangtag train RECIPE --folds 5`."
    if path.suffix.lower() == _BUNDLE_SUFFIX:
        raise UsageError(
            "a model cannot check the labels that it was trained on, because it has memorised the wrong ones, too: "
            "out-of-fold predictions are needed, each from a model that has not seen the photo",
            where=path,
            fix=fix,
        )
    if not path.is_file():
        raise UsageError("there is no such file", where=path, fix=fix)
    table = read_table(path) if path.suffix.lower() in PARQUET_SUFFIXES else None
    said = None if table is None else (table.schema.metadata or {}).get(METADATA_KEY)
    if table is None or said is None:
        raise UsageError("this file holds no out-of-fold predictions", where=path, fix=fix)
    described = json.loads(said)
    heads = {column: _read_head(table, column, classes) for column, classes in described["classes"].items()}
    ids, photos, folds = (tuple(table[name].to_pylist()) for name in (ID, _PHOTO, _FOLD))
    return OutOfFold(ids, photos, folds, heads, described["facts"])


def _read_head(table: pa.Table, column: str, classes: Sequence[str]) -> HeadGuesses:
    flat = table[column + _PROBABILITIES].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    probabilities = flat.reshape(-1, len(classes)).astype(np.float32)
    return HeadGuesses(tuple(table[column].to_pylist()), tuple(classes), probabilities)


def join_out_of_fold(parts: Sequence[OutOfFold]) -> OutOfFold:
    """Join the predictions of several folds, which must have the same columns, classes and facts."""
    first = parts[0]
    heads = {
        column: HeadGuesses(
            tuple(label for part in parts for label in part.heads[column].labels),
            head.classes,
            np.concatenate([part.heads[column].probabilities for part in parts]),
        )
        for column, head in first.heads.items()
    }
    return OutOfFold(
        tuple(id_ for part in parts for id_ in part.ids),
        tuple(photo for part in parts for photo in part.photos),
        tuple(fold for part in parts for fold in part.folds),
        heads,
        first.facts,
    )
