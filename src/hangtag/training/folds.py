"""Cross-fitting: every train and validation photo is predicted by a model that was trained without it.

The rows are divided into K folds. For each fold the recipe is trained with its own split table: the fold replaces the
test split, the validation rows of the other folds stay validation (temperatures are fitted on them), and the other rows
are train rows. Test rows of the split table are not used.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hangtag.bundle.card import REFERENCE_PRECISION
from hangtag.bundle.signatures import OWN
from hangtag.datasets.opening import Catalogue
from hangtag.datasets.out_of_fold import (
    HeadGuesses,
    OutOfFold,
    join_out_of_fold,
    read_out_of_fold,
    write_out_of_fold,
)
from hangtag.datasets.splits import (
    DROPPED,
    GROUP_COLUMN,
    NOTE_COLUMN,
    PHOTO_COLUMN,
    SPLIT_COLUMN,
    TEST,
    TRAIN,
    VALIDATION,
    Item,
    assign_stratified,
)
from hangtag.domain.columns import ID
from hangtag.domain.errors import TrainingError
from hangtag.inference.model import Model, load_model
from hangtag.tables.tables import need_columns
from hangtag.training.recipe import Recipe
from hangtag.training.soft_targets import align_classes, answer_photos

OUT_OF_FOLD: Final = "out_of_fold.parquet"
NOT_IN_FOLDS: Final = "not_in_folds"
"""The note on test rows, which are in no fold."""

_NO_FOLD: Final = 0

TrainFold = Callable[[pa.Table, Path], Path]
"""Trains the recipe on a split table, in a folder, and returns the bundle."""


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """Which fold holds out each row of a split table: `fold_of` int64 (rows,), counted from 1; 0 is none."""

    recipe: Recipe
    table: pa.Table
    folds: int
    fold_of: npt.NDArray[np.int64]

    def held_out(self, fold: int) -> pa.Table:
        """Return the rows that a fold holds out, unchanged."""
        return self.table.filter(pa.array(self.fold_of == fold))

    def table_of(self, fold: int) -> pa.Table:
        """Return the split table for training a fold.

        A validation label that no train row of this fold has is unknown in it, as it could not be learned.
        """
        split = np.array(self.table[SPLIT_COLUMN].to_pylist(), dtype=object)
        note = np.array(self.table[NOTE_COLUMN].to_pylist(), dtype=object)
        out = split == TEST
        note[out], split[out] = NOT_IN_FOLDS, DROPPED
        split[self.fold_of == fold] = TEST
        table = _replace(self.table, SPLIT_COLUMN, pa.array(split, pa.string()))
        table = _replace(table, NOTE_COLUMN, pa.array(note, pa.string()))
        for column in self.recipe.columns:
            learnt = pc.unique(table[column].filter(pa.array(split == TRAIN)))
            lost = pc.and_(
                pa.array(split == VALIDATION), pc.invert(pc.is_in(table[column], value_set=learnt))
            )
            table = _replace(table, column, pc.if_else(lost, None, table[column]))
        return table

    def classes(self, column: str) -> tuple[str, ...]:
        """Return the labels of all folds' rows in a column, sorted."""
        labels = self.table[column].filter(pa.array(self.fold_of != _NO_FOLD)).to_pylist()
        return tuple(sorted({label for label in labels if label}))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the recipe, the rows and their folds."""
        rows = self.table.select([ID, PHOTO_COLUMN, SPLIT_COLUMN, *self.recipe.columns]).to_pydict()
        text = json.dumps([self.recipe.fingerprint(), rows, self.fold_of.tolist()])
        return hashlib.sha256(text.encode()).hexdigest()


def plan_folds(table: pa.Table, recipe: Recipe, folds: int) -> FoldPlan:
    """Divide the train and validation rows of a split table into stratified folds. Duplicates stay in one fold.

    The column and the seed are those of the recipe's split. Raises `CatalogueError` for a table that lacks a column,
    and `TrainingError` if there are fewer groups of duplicates than folds.
    """
    label_column = recipe.split.stratify_by
    need_columns(table, [ID, PHOTO_COLUMN, GROUP_COLUMN, label_column, *recipe.columns], "the split table")
    splits, ids, groups, labels = (
        table[name].to_pylist() for name in (SPLIT_COLUMN, ID, GROUP_COLUMN, label_column)
    )
    members: dict[int, list[int]] = {}
    for row, (split, group) in enumerate(zip(splits, groups, strict=True)):
        if split in {TRAIN, VALIDATION}:
            members.setdefault(group, []).append(row)
    if len(members) < folds:
        raise TrainingError(f"{len(members)} groups of photos are too few for {folds} folds")
    items = [
        # Without the prefix, the key would have the split's seed, and fold 1 would be the validation split itself.
        Item("fold:" + min(ids[row] for row in rows), str(labels[rows[0]]), len(rows))
        for rows in members.values()
    ]
    names = [str(fold) for fold in range(1, folds)]
    drawn = assign_stratified(items, dict.fromkeys(names, 1 / folds), recipe.split.seed)
    fold_of = np.full(len(splits), _NO_FOLD, np.int64)
    for rows, name in zip(members.values(), drawn, strict=True):
        fold_of[rows] = folds if name == TRAIN else int(name)  # rows that were not drawn form the last fold
    return FoldPlan(recipe, table, folds, fold_of)


def fold_folder(run: Path, fold: int) -> Path:
    """Return the folder of a fold within its run. It is laid out like any run's folder."""
    return run / f"fold-{fold}"


def finish_fold(
    plan: FoldPlan, fold: int, run: Path, catalogue: Catalogue, train_fold: TrainFold
) -> OutOfFold:
    """Train without a fold and predict its photos. A fold that is already finished is only read.

    `train_fold` resumes a training that it finds in the fold's folder. The pixels there are removed at the end.

    Raises `TrainingError` if the folder's contents were made with another recipe or other rows.
    """
    folder = fold_folder(run, fold)
    finished = _read_fold(plan, fold, run)
    if finished is not None:
        return finished
    bundle = train_fold(plan.table_of(fold), folder)
    answers = _answer(
        load_model(bundle, precision=REFERENCE_PRECISION, trusted=OWN), plan, fold, catalogue, folder
    )
    write_out_of_fold(answers, folder / OUT_OF_FOLD)
    shutil.rmtree(folder / "pixels", ignore_errors=True)
    return answers


def join_folds(plan: FoldPlan, run: Path) -> Path | None:
    """Write the predictions of all folds as one table and return it; None while a fold is missing.

    Raises `TrainingError` if a fold was made with another recipe or other rows.
    """
    parts = [_read_fold(plan, fold, run) for fold in range(1, plan.folds + 1)]
    finished = [part for part in parts if part is not None]
    if len(finished) < plan.folds:
        return None
    write_out_of_fold(join_out_of_fold(finished), run / OUT_OF_FOLD)
    return run / OUT_OF_FOLD


def _read_fold(plan: FoldPlan, fold: int, run: Path) -> OutOfFold | None:
    path = fold_folder(run, fold) / OUT_OF_FOLD
    if not path.is_file():
        return None
    found = read_out_of_fold(path)
    if found.facts.get("sha256") != plan.fingerprint():
        raise TrainingError(
            "this fold was trained with a different recipe or different rows",
            where=path.parent,
            fix="Delete it, or choose another folder with `run`.",
        )
    return found


def _answer(model: Model, plan: FoldPlan, fold: int, catalogue: Catalogue, folder: Path) -> OutOfFold:
    rows = plan.held_out(fold)
    photos = rows[PHOTO_COLUMN].to_pylist()
    answers = answer_photos(model, photos, catalogue, folder / "pixels" / "held_out.npy")
    heads = {
        column: HeadGuesses(
            tuple(rows[column].to_pylist()),
            plan.classes(column),
            align_classes(answers[column], model.card.head(column).classes, plan.classes(column)),
        )
        for column in plan.recipe.columns
    }
    facts = {"recipe": plan.recipe.name, "folds": plan.folds, "sha256": plan.fingerprint()}
    return OutOfFold(tuple(rows[ID].to_pylist()), tuple(photos), (fold,) * len(photos), heads, facts)


def _replace(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), column, values)
