"""Selecting the rows of a split table that a run trains on, and adding rows of joined sets."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hangtag.bundle.card import SourceCard
from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.interface import read_stated_source
from hangtag.datasets.opening import Catalogue, JoinedCatalogue
from hangtag.datasets.prints import fingerprint_catalogue, group_duplicates
from hangtag.datasets.splits import (
    DROPPED,
    GIVEN_COLUMN,
    GROUP_COLUMN,
    NO_LABEL,
    NO_PHOTO,
    NOTE_COLUMN,
    PHOTO_COLUMN,
    SPLIT_COLUMN,
    TEST,
    TRAIN,
    VALIDATION,
    read_split_name,
)
from hangtag.domain.columns import CATEGORY_COLUMNS, ID
from hangtag.tables.matching import match_products
from hangtag.training.negatives import NEGATIVES

LEFT_OUT: Final = "left_out"
"""The note on rows that a limited run leaves out."""

SOURCE_COLUMN: Final = "source"
"""The joined set of a row; null for the catalogue itself. Only tables with joined sets have this column."""

PUBLISHED_TEST: Final = "published_test"
"""The note on rows of a joined set that belong to its published test set."""

HELD_OUT: Final = "held_out"
"""The note on rows of a joined set whose photo is a duplicate of one of the catalogue's validation or test photos."""

NO_PRODUCT: Final = "none"
"""The master category of a joined set's photos that show no fashion product, for the OOD detector."""

_SOURCES_KEY: Final = b"hangtag.sources"
_LICENCE, _ATTRIBUTION = "licence", ("attribution", SOURCE_COLUMN)
"""The columns of a set's own table with a photo's licence and origin."""

_SAID_LICENCE, _SAID_ATTRIBUTION = "said licence", "said attribution"
"""The columns that carry them until they are counted."""

NO_GROUP: Final = -1
"""The group of a photo that was not compared with others."""

Row = dict[str, str | int | None]


def limit_rows(table: pa.Table, train_photos: int, seed: int, columns: Sequence[str] = ()) -> pa.Table:
    """Return the split table with at most `train_photos` train rows and the same share of the validation rows.

    They are drawn by `seed`, stratified by `columns`: each class keeps its share, and at least one train row if there
    is room. The other rows become `dropped`, with a note; test rows stay.
    """
    labels = [table.column(column).to_pylist() for column in columns if column in table.column_names]
    splits = np.array(table.column(SPLIT_COLUMN).to_pylist(), dtype=object)
    share = min(1.0, train_photos / max(1, int((splits == TRAIN).sum())))
    left_out = np.zeros(len(splits), dtype=bool)
    random = np.random.default_rng(seed)
    for split in (TRAIN, VALIDATION):
        rows = random.permutation(np.flatnonzero(splits == split)).tolist()
        count = round(share * len(rows))
        kept = _draw_one_of_each_class(rows, labels, count // 2) if split == TRAIN else []
        taken = set(kept)
        rest = [row for row in rows if row not in taken]
        kept += _draw_evenly(rest, labels, count - len(kept))
        left_out[rows] = True
        left_out[kept] = False
    table = _replace(table, SPLIT_COLUMN, pc.if_else(left_out, DROPPED, table.column(SPLIT_COLUMN)))
    return _replace(table, NOTE_COLUMN, pc.if_else(left_out, LEFT_OUT, table.column(NOTE_COLUMN)))


def _draw_one_of_each_class(
    rows: Sequence[int], labels: Sequence[Sequence[str | None]], most: int
) -> list[int]:
    """Return the first row of each class in each column, the largest classes first, at most `most` rows."""
    drawn: dict[int, None] = {}
    for column in labels:
        counts = Counter(label for row in rows if (label := column[row]))
        first = {column[row]: row for row in reversed(rows)}
        drawn_labels = {column[row] for row in drawn}
        for label, _ in counts.most_common():
            if label not in drawn_labels and len(drawn) < most:
                drawn[first[label]] = None
    return list(drawn)


def _draw_evenly(rows: Sequence[int], labels: Sequence[Sequence[str | None]], count: int) -> list[int]:
    """Return `count` rows in which each combination of labels has its share, give or take one."""
    ordered = sorted(rows, key=lambda row: [column[row] or "" for column in labels])
    places = (np.arange(count) + 0.5) * len(ordered) / max(1, count)
    return [ordered[place] for place in places.astype(int).tolist()]


@dataclass(frozen=True, slots=True)
class Joining:
    """How sets are joined: the `columns` to learn, and the share of each set to hold out, drawn by `seed`.

    From a set with more than `largest` photos, this many are drawn; 0 takes all. With `negatives`, photos whose master
    category is `NO_PRODUCT` are joined as negatives; otherwise they are left out.
    """

    columns: Sequence[str]
    validation: float = 0.0
    largest: int = 0
    seed: int = 0
    negatives: bool = False


def join_sets(
    table: pa.Table, catalogues: tuple[Catalogue, Mapping[str, Catalogue]], joining: Joining, folder: Path
) -> pa.Table:
    """Return the split table followed by the rows of further sets, as train rows or held out for validation.

    `catalogues` are the table's own and the sets by name. Their photos are called `set:photo`, as in `JoinedCatalogue`,
    and the column `source` names their set. A label that no train row of the catalogue has is unknown. These rows are
    `dropped`, with a note: those without photo or known label, those in a published test set, those over the limit, and
    duplicates of the catalogue's validation and test photos. Duplicates among the others stay on one side.

    Fingerprints are cached in `folder`. Raises `CatalogueError` for a set that cannot be read.
    """
    main, sets = catalogues
    if not sets:
        return table
    trained = table.filter(pc.equal(table.column(SPLIT_COLUMN), TRAIN))
    known = {column: set(trained.column(column).to_pylist()) for column in joining.columns}
    joined: dict[str, list[Row]] = {}
    for name, catalogue in sets.items():
        cleaned = read_cleaned(catalogue).table
        photos = match_products(cleaned[ID].to_pylist(), catalogue.photo_names()).photo_of
        joined[name] = [
            _join_negative(row, name, photos, joining)
            if _shows_no_product(row)
            else _join_row(row, name, photos, known)
            for row in cleaned.to_pylist()
        ]
    drawn = {name: _draw_rows(rows, joining) for name, rows in joined.items()}
    memory = folder / "joined-fingerprints.parquet"
    _number_groups(table, list(chain(*drawn.values())), JoinedCatalogue(main, sets), memory)
    _keep_back(drawn.values(), joining.validation)
    table = table.append_column(SOURCE_COLUMN, pa.nulls(table.num_rows, pa.string()))
    sources = [
        asdict(source)
        for name, rows in joined.items()
        for source in _describe_sources(name, rows, read_stated_source(sets[name]))
    ]
    metadata = {**(table.schema.metadata or {}), _SOURCES_KEY: json.dumps(sources)}
    return append_rows(table.replace_schema_metadata(metadata), list(chain(*joined.values())))


def read_sources(table: pa.Table) -> tuple[SourceCard, ...]:
    """Return the sets joined to a split table, with the number of train photos of each."""
    said = (table.schema.metadata or {}).get(_SOURCES_KEY)
    return () if said is None else tuple(SourceCard(**values) for values in json.loads(said))


def _describe_sources(name: str, rows: Sequence[Row], stated: tuple[str, str]) -> list[SourceCard]:
    """Return a source for each licence and attribution of a set's train photos. `stated` is the default."""
    licence, attribution = stated
    counts = Counter(
        (str(row.get(_SAID_LICENCE) or licence), str(row.get(_SAID_ATTRIBUTION) or attribution))
        for row in rows
        if row[SPLIT_COLUMN] == TRAIN
    )
    return [SourceCard(name, photos, *texts) for texts, photos in sorted(counts.items())]


def append_rows(table: pa.Table, rows: Sequence[Mapping[str, str | int | None]]) -> pa.Table:
    """Append rows to a table. Columns that they lack are null; columns that the table lacks are dropped."""
    columns = {name: [row.get(name) for row in rows] for name in table.column_names}
    more = pa.table(columns, _columns_only(table))
    return pa.concat_tables([table, more.replace_schema_metadata(table.schema.metadata)])


def learn_everything(table: pa.Table) -> pa.Table:
    """Return the split table with all validation and test rows, also of joined sets, as train rows."""
    splits = table.column(SPLIT_COLUMN)
    learnt = pc.is_in(splits, value_set=pa.array([VALIDATION, TEST]))
    return _replace(table, SPLIT_COLUMN, pc.if_else(learnt, TRAIN, splits))


def own_rows(table: pa.Table) -> pa.Table:
    """Return the catalogue's own rows of a table that may have joined sets."""
    return (
        table.filter(pc.is_null(table.column(SOURCE_COLUMN)))
        if SOURCE_COLUMN in table.column_names
        else table
    )


def rows_by_set(table: pa.Table) -> dict[str, pa.Table]:
    """Return the rows of each joined set by name. Those without a product, from all sets, are under `NEGATIVES`."""
    if SOURCE_COLUMN not in table.column_names:
        return {}
    source = table.column(SOURCE_COLUMN)
    return {
        name: table.filter(pc.equal(source, name))
        for name in sorted(filter(None, source.unique().to_pylist()))
    }


def _draw_rows(rows: Sequence[Row], joining: Joining) -> list[Row]:
    """Return the rows that take part in the seed's random order. Rows over the limit are left out."""
    usable = [row for row in rows if row[SPLIT_COLUMN] == TRAIN]
    order = np.random.default_rng(joining.seed).permutation(len(usable)).tolist()
    count = joining.largest or len(order)
    for position in order[count:]:
        usable[position] |= {SPLIT_COLUMN: DROPPED, NOTE_COLUMN: LEFT_OUT}
    return [usable[position] for position in order[:count]]


def _number_groups(table: pa.Table, drawn: Sequence[Row], catalogue: Catalogue, memory: Path) -> None:
    """Assign duplicate groups to the drawn rows. Leave out duplicates of validation and test photos.

    Fingerprints are computed as in `hangtag split`. The numbers continue those of the split table.
    """
    held_out = [row[PHOTO_COLUMN] for row in table.to_pylist() if row[SPLIT_COLUMN] in {VALIDATION, TEST}]
    photos = [*held_out, *(str(row[PHOTO_COLUMN]) for row in drawn)]
    groups = group_duplicates(photos, fingerprint_catalogue(catalogue, photos, memory=memory))
    forbidden = set(groups[: len(held_out)])
    first = 1 + max(table.column(GROUP_COLUMN).to_pylist())
    for row, group in zip(drawn, groups[len(held_out) :], strict=True):
        row[GROUP_COLUMN] = first + group
        if group in forbidden:
            row |= {SPLIT_COLUMN: DROPPED, NOTE_COLUMN: HELD_OUT}


def _keep_back(drawn: Iterable[Sequence[Row]], share: float) -> None:
    """Hold out the first rows of each set, a share of it, with their whole group in this set and others."""
    side_of: dict[object, str] = {}
    for rows in drawn:
        groups: dict[object, list[Row]] = {}
        for row in rows:
            if row[SPLIT_COLUMN] == TRAIN:
                groups.setdefault(row[GROUP_COLUMN], []).append(row)
        missing = round(share * sum(map(len, groups.values())))
        for group, members in groups.items():
            side = side_of.setdefault(group, VALIDATION if missing > 0 else TRAIN)
            missing -= len(members) if side == VALIDATION else 0
            for row in members:
                row[SPLIT_COLUMN] = side


def _shows_no_product(row: Mapping[str, str | None]) -> bool:
    return (row.get(CATEGORY_COLUMNS[0]) or "").lower() == NO_PRODUCT


def _join_negative(
    row: Mapping[str, str | None], name: str, photos: Mapping[str, str], joining: Joining
) -> Row:
    joined = _join_row(row, name, photos, {column: set() for column in joining.columns})
    if not joining.negatives:
        return joined
    if joined[NOTE_COLUMN] == NO_LABEL:
        joined |= {SPLIT_COLUMN: TRAIN, NOTE_COLUMN: None}
    return joined | {SOURCE_COLUMN: NEGATIVES}


def _join_row(
    row: Mapping[str, str | None], name: str, photos: Mapping[str, str], known: Mapping[str, set[str | None]]
) -> Row:
    labels = {column: row.get(column) if row.get(column) in seen else None for column, seen in known.items()}
    photo = photos.get(str(row[ID]))
    problem = NO_PHOTO if photo is None else None if any(labels.values()) else NO_LABEL
    if read_split_name(row.get(GIVEN_COLUMN) or "") == TEST:
        problem = PUBLISHED_TEST
    attribution = next((text for column in _ATTRIBUTION if (text := row.get(column))), None)
    return {
        **row,
        **labels,
        _SAID_LICENCE: row.get(_LICENCE),
        _SAID_ATTRIBUTION: attribution,
        SOURCE_COLUMN: name,
        ID: f"{name}:{row[ID]}",
        PHOTO_COLUMN: photo and f"{name}:{photo}",
        GROUP_COLUMN: NO_GROUP,
        SPLIT_COLUMN: DROPPED if problem else TRAIN,
        NOTE_COLUMN: problem,
    }


def _columns_only(table: pa.Table) -> pa.Schema:
    return table.schema.remove_metadata()


def _replace(table: pa.Table, column: str, values: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), column, values)
