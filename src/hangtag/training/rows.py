"""Which rows of a split table a run learns from: a part of them, or more than the catalogue has."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hangtag.catalogue.assign import DROPPED, TRAIN, VALIDATION
from hangtag.catalogue.candidates import NO_LABEL, NO_PHOTO, photos_by_id
from hangtag.catalogue.clean import clean_catalogue
from hangtag.catalogue.source import Catalogue
from hangtag.catalogue.split import GROUP_COLUMN, NOTE_COLUMN, PHOTO_COLUMN, SPLIT_COLUMN
from hangtag.catalogue.tables import read_table
from hangtag.domain.columns import ID

LEFT_OUT: Final = "left_out"
"""The note on rows that a limited run does without."""

_NO_GROUP: Final = -1


def limit_rows(table: pa.Table, train_photos: int, seed: int) -> pa.Table:
    """Return the split table with at most `train_photos` train rows and as large a share of the validation rows.

    They are drawn by `seed`. The other rows become `dropped`, with a note; test rows stay.
    """
    splits = np.array(table.column(SPLIT_COLUMN).to_pylist(), dtype=object)
    share = min(1.0, train_photos / max(1, int((splits == TRAIN).sum())))
    left_out = np.zeros(len(splits), dtype=bool)
    random = np.random.default_rng(seed)
    for split in (TRAIN, VALIDATION):
        rows = random.permutation(np.flatnonzero(splits == split))
        left_out[rows[round(share * len(rows)) :]] = True
    table = _replace(table, SPLIT_COLUMN, pc.if_else(left_out, DROPPED, table.column(SPLIT_COLUMN)))
    return _replace(table, NOTE_COLUMN, pc.if_else(left_out, LEFT_OUT, table.column(NOTE_COLUMN)))


def join_sets(
    table: pa.Table, sets: Mapping[str, Catalogue], columns: Sequence[str], folder: Path
) -> pa.Table:
    """Return the split table with the rows of further sets behind it, all of them in the train split.

    Their photos are called `set:photo`, as `JoinedCatalogue` does. A label that no train row of the catalogue has is
    unknown, and a row without photo or known label is `dropped`, with a note. Each set is cleaned into a folder of its
    own. Raises `CatalogueError` for a set that cannot be read.
    """
    trained = table.filter(pc.equal(table.column(SPLIT_COLUMN), TRAIN))
    known = {column: set(trained.column(column).to_pylist()) for column in columns}
    for name, catalogue in sets.items():
        clean_catalogue(catalogue, folder / name)
        cleaned = read_table(folder / name / "cleaned.parquet")
        photos = photos_by_id(catalogue.photo_names())
        rows = [_join_row(row, name, photos, known) for row in cleaned.to_pylist()]
        empty: dict[str, str | int | None] = dict.fromkeys(table.column_names)
        more = pa.Table.from_pylist([{**empty, **row} for row in rows], _columns_only(table))
        table = pa.concat_tables([table, more.replace_schema_metadata(table.schema.metadata)])
    return table


def _join_row(
    row: Mapping[str, str | None], name: str, photos: Mapping[str, str], known: Mapping[str, set[str | None]]
) -> dict[str, str | int | None]:
    labels = {column: row.get(column) if row.get(column) in seen else None for column, seen in known.items()}
    photo = photos.get(str(row[ID]))
    problem = NO_PHOTO if photo is None else None if any(labels.values()) else NO_LABEL
    return {
        **row,
        **labels,
        ID: f"{name}:{row[ID]}",
        PHOTO_COLUMN: photo and f"{name}:{photo}",
        GROUP_COLUMN: _NO_GROUP,
        SPLIT_COLUMN: DROPPED if problem else TRAIN,
        NOTE_COLUMN: problem,
    }


def _columns_only(table: pa.Table) -> pa.Schema:
    return table.schema.remove_metadata()


def _replace(table: pa.Table, column: str, values: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), column, values)
