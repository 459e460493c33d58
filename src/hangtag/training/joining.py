"""The training data of a run: the catalogue without suspect labels, the joined sets, and negatives."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from hangtag.datasets.opening import Catalogue, JoinedCatalogue, joined_name
from hangtag.datasets.splits import GROUP_COLUMN, NOTE_COLUMN, PHOTO_COLUMN, SPLIT_COLUMN, TRAIN, VALIDATION
from hangtag.domain.columns import ID, NAME
from hangtag.domain.errors import TrainingError
from hangtag.tables.tables import need_columns, read_table
from hangtag.tables.writing import restore_text
from hangtag.training.negatives import NEGATIVES, Negatives
from hangtag.training.progress import say
from hangtag.training.recipe import Recipe
from hangtag.training.rows import (
    HELD_OUT,
    NO_GROUP,
    SOURCE_COLUMN,
    Joining,
    append_rows,
    join_sets,
    rows_by_set,
)


class SuspectLabel(NamedTuple):
    """A suspect label: the product's id, the column, and the given label."""

    id: str
    column: str
    given: str


def read_suspects(path: Path) -> list[SuspectLabel]:
    """Read `suspects.csv` of `hangtag check --labels`, or any table with the columns `id`, `column` and `given`.

    Raises `CatalogueError` for any other file.
    """
    table = read_table(path)
    need_columns(table, list(SuspectLabel._fields), path)
    columns = (table[name].to_pylist() for name in SuspectLabel._fields)
    return [
        SuspectLabel(*(restore_text(value or "") for value in values))
        for values in zip(*columns, strict=True)
    ]


def drop_suspects(table: pa.Table, suspects: Iterable[SuspectLabel]) -> tuple[pa.Table, dict[str, int]]:
    """Return the split table without the suspect labels of train rows, and the number of removed labels by column.

    Validation and test keep all labels, so that figures with and without suspects are for the same photos. A label
    that has changed since is kept, and so are all labels of a class that would otherwise have none left to learn.
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


_NO_LABELS: Final = frozenset(
    {ID, NAME, PHOTO_COLUMN, GROUP_COLUMN, SPLIT_COLUMN, NOTE_COLUMN, SOURCE_COLUMN}
)


def fit_recipe(recipe: Recipe, table: pa.Table, asked: Sequence[str] = ()) -> Recipe:
    """Return the recipe adjusted to a catalogue's columns, before any photo is opened. Report what cannot be learned.

    `table` is the cleaned or the split table. `asked` are the requested columns, instead of the recipe's. The split is
    stratified by another column if the table lacks the recipe's.

    Raises `TrainingError` if a requested column has fewer than two classes, or if all of the recipe's do.
    """
    wanted = list(dict.fromkeys(asked or recipe.columns))
    learnable = [column for column in wanted if _has_classes(table, column)]
    lacking = [column for column in wanted if column not in learnable]
    if lacking and (asked or not learnable):
        others = [
            column
            for column in table.column_names
            if column not in _NO_LABELS and _has_classes(table, column)
        ]
        raise TrainingError(
            f"the catalogue has fewer than two classes in {', '.join(lacking)}",
            where="`columns`" if asked else None,
            fix=f"Choose `columns` among {', '.join(others)}." if others else "Label some photos first.",
        )
    if lacking:
        say(f"not learnt, because the catalogue has fewer than two classes in them: {', '.join(lacking)}")
    stratify_by = (
        recipe.split.stratify_by if recipe.split.stratify_by in table.column_names else learnable[-1]
    )
    return recipe.for_columns(learnable, stratify_by)


def _has_classes(table: pa.Table, column: str) -> bool:
    if column not in table.column_names:
        return False
    return len(set(filter(None, table.column(column).to_pylist()))) > 1


def join_photos(
    table: pa.Table,
    catalogues: tuple[Catalogue, Mapping[str, Catalogue]],
    recipe: Recipe,
    folder: Path,
    negatives: Sequence[Path] = (),
) -> tuple[pa.Table, Catalogue]:
    """Return the split table followed by the rows that a recipe joins, and a catalogue with all their photos.

    `catalogues` are the main one and the joined sets by name; `negatives` are folders of photos that show no product,
    for a recipe with an OOD detector. Joined sets are cleaned into `folder`.

    Raises the same errors as `join_sets` and `Negatives`.
    """
    main, sets = catalogues
    joining = Joining(
        recipe.columns,
        recipe.joining.validation,
        recipe.joining.largest,
        recipe.seed,
        negatives=recipe.ood is not None,
    )
    table = join_sets(table, catalogues, joining, folder)
    _say_held_out(table)
    if recipe.ood is None:
        return table, JoinedCatalogue(main, sets)
    own = JoinedCatalogue(main, sets)
    none = Negatives(recipe.ood.drawn, negatives, own, _photos_to_cut(table, recipe.seed), recipe.seed)
    if SOURCE_COLUMN not in table.column_names:
        table = table.append_column(SOURCE_COLUMN, pa.nulls(table.num_rows, pa.string()))
    return append_rows(table, _negative_rows(none, joining)), JoinedCatalogue(main, {**sets, NEGATIVES: none})


def _say_held_out(table: pa.Table) -> None:
    for name, rows in rows_by_set(table).items():
        count = rows[NOTE_COLUMN].to_pylist().count(HELD_OUT)
        if count:
            say(f"{name}: {count:,} left out, duplicates of validation or test photos")


def _photos_to_cut(table: pa.Table, seed: int) -> list[str]:
    """Return train photos of the joined sets, which have backgrounds, and as many of the catalogue's."""
    train = [row for row in table.to_pylist() if row[SPLIT_COLUMN] == TRAIN]
    joined = [row[PHOTO_COLUMN] for row in train if row.get(SOURCE_COLUMN) not in {None, NEGATIVES}]
    own = [row[PHOTO_COLUMN] for row in train if not row.get(SOURCE_COLUMN)]
    chosen = np.random.default_rng(seed).permutation(len(own))[: max(len(joined), 1000)]
    return joined + [own[position] for position in chosen]


def _negative_rows(negatives: Negatives, joining: Joining) -> list[dict[str, str | int | None]]:
    names = sorted(negatives.photo_names())
    kept_back = np.random.default_rng(joining.seed).random(len(names)) < joining.validation
    return [
        {
            ID: joined_name(NEGATIVES, Path(name).stem),
            PHOTO_COLUMN: joined_name(NEGATIVES, name),
            GROUP_COLUMN: NO_GROUP,
            SPLIT_COLUMN: VALIDATION if back else TRAIN,
            NOTE_COLUMN: None,
            SOURCE_COLUMN: NEGATIVES,
        }
        for name, back in zip(names, kept_back.tolist(), strict=True)
    ]
