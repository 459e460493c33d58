import shutil

import numpy as np
import pyarrow as pa
import pytest

from hangtag.bundle.file import write_bundle
from hangtag.datasets.out_of_fold import read_out_of_fold
from hangtag.domain.errors import CatalogueError, TrainingError
from hangtag.inference.model import load_model
from hangtag.training.folds import finish_fold, fold_folder, join_folds, plan_folds
from tiny_bundle import build_tiny_card, build_tiny_graph

FOLDS = 3


@pytest.fixture
def plan(table, tiny_recipe):
    return plan_folds(table, tiny_recipe, FOLDS)


class Trainer:
    """Writes a bundle that knows the labels of the train rows, and remembers what it was given."""

    def __init__(self, columns):
        self.columns = columns
        self.tables = []

    def __call__(self, table, folder):
        self.tables.append(table)
        train = table.filter(pa.array([split == "train" for split in table["split"].to_pylist()]))
        classes = {
            column: tuple(sorted({label for label in train[column].to_pylist() if label}))
            for column in self.columns
        }
        graph = build_tiny_graph(classes, seed=len(self.tables))
        folder.mkdir(parents=True, exist_ok=True)
        write_bundle(graph, build_tiny_card(graph, classes), folder / "tiny.onnx")
        return folder / "tiny.onnx"


def rows_of(table, split):
    return {row["id"]: row for row in table.to_pylist() if row["split"] == split}


def test_every_row_of_train_and_validation_is_held_out_once_and_no_test_row_ever(plan, table):
    held_out = [id_ for fold in range(1, FOLDS + 1) for id_ in plan.held_out(fold)["id"].to_pylist()]
    assert sorted(held_out) == sorted([*rows_of(table, "train"), *rows_of(table, "validation")])
    sizes = np.bincount(plan.fold_of)[1:]
    assert sizes.max() - sizes.min() <= 5


def test_duplicates_are_in_one_fold_and_every_class_is_in_all(plan, table):
    ids = table["id"].to_pylist()
    assert plan.fold_of[ids.index("1000")] == plan.fold_of[ids.index("1001")]
    for fold in range(1, FOLDS + 1):
        assert set(plan.held_out(fold)["articleType"].to_pylist()) == set(table["articleType"].to_pylist())


def test_the_same_table_gives_the_same_folds(plan, table, tiny_recipe):
    again = plan_folds(table, tiny_recipe, FOLDS)
    assert again.fold_of.tolist() == plan.fold_of.tolist()
    assert again.fingerprint() == plan.fingerprint()
    assert plan_folds(table, tiny_recipe, FOLDS + 1).fingerprint() != plan.fingerprint()


def test_the_table_of_a_fold_holds_the_fold_out_and_drops_the_test_rows(plan, table):
    for fold in range(1, FOLDS + 1):
        own = plan.table_of(fold)
        held_out = set(plan.held_out(fold)["id"].to_pylist())
        assert set(rows_of(own, "test")) == held_out
        assert set(rows_of(own, "train")) == set(rows_of(table, "train")) - held_out
        assert set(rows_of(own, "validation")) == set(rows_of(table, "validation")) - held_out
        assert set(rows_of(table, "test")) <= set(rows_of(own, "dropped"))
        assert own.schema == table.schema


def test_a_validation_label_that_the_fold_cannot_learn_is_unknown_in_it(table, tiny_recipe):
    validation = next(iter(rows_of(table, "validation")))
    labels = [
        "Girls" if id_ == validation else label
        for id_, label in zip(table["id"].to_pylist(), table["gender"].to_pylist(), strict=True)
    ]
    changed = table.set_column(table.schema.get_field_index("gender"), "gender", pa.array(labels))
    plan = plan_folds(changed, tiny_recipe, FOLDS)
    assert "Girls" in plan.classes("gender")
    for fold in range(1, FOLDS + 1):
        rows = rows_of(plan.table_of(fold), "validation")
        assert rows.get(validation, {"gender": None})["gender"] is None
        assert all(row["gender"] for id_, row in rows.items() if id_ != validation)


def test_each_photo_is_answered_by_the_model_of_its_fold(plan, source, tmp_path):
    trainer = Trainer(plan.recipe.columns)
    for fold in range(1, FOLDS + 1):
        assert join_folds(plan, tmp_path) is None
        finish_fold(plan, fold, tmp_path, source, trainer)
    found = read_out_of_fold(join_folds(plan, tmp_path))
    assert len(found.ids) == int((plan.fold_of > 0).sum())
    assert set(found.heads) == set(plan.recipe.columns)
    for row in (0, len(found.ids) - 1):
        bundle = fold_folder(tmp_path, found.folds[row]) / "tiny.onnx"
        outcome = load_model(bundle).predict([source.read_photo(found.photos[row])])[0]
        head = found.heads["masterCategory"]
        answers = {label.value: label.confidence for label in outcome.candidates["masterCategory"]}
        expected = [answers.get(name, np.nan) for name in head.classes]
        assert head.probabilities[row] == pytest.approx(expected, abs=2e-3, nan_ok=True)
    assert not list(tmp_path.glob("fold-*/pixels"))


def test_a_class_that_a_fold_does_not_know_has_no_probability(table, source, tiny_recipe, tmp_path):
    only = next(iter(rows_of(table, "train")))
    labels = [
        "Girls" if id_ == only else label
        for id_, label in zip(table["id"].to_pylist(), table["gender"].to_pylist(), strict=True)
    ]
    changed = table.set_column(table.schema.get_field_index("gender"), "gender", pa.array(labels))
    plan = plan_folds(changed, tiny_recipe, FOLDS)
    fold = int(plan.fold_of[table["id"].to_pylist().index(only)])
    other = fold % FOLDS + 1
    trainer = Trainer(plan.recipe.columns)
    for one, is_unknown in ((fold, True), (other, False)):
        head = finish_fold(plan, one, tmp_path, source, trainer).heads["gender"]
        assert head.classes == ("Girls", "Men", "Women")
        assert np.isnan(head.probabilities[:, 0]).all() == is_unknown
        assert np.nansum(head.probabilities, axis=1) == pytest.approx(1, abs=1e-2)


def test_a_finished_fold_is_kept_and_one_of_other_rows_is_refused(plan, table, source, tmp_path):
    trainer = Trainer(plan.recipe.columns)
    first = finish_fold(plan, 1, tmp_path, source, trainer)
    assert finish_fold(plan, 1, tmp_path, source, trainer).ids == first.ids
    assert len(trainer.tables) == 1
    fewer = plan_folds(table.slice(2), plan.recipe, FOLDS)
    with pytest.raises(TrainingError, match="different rows"):
        finish_fold(fewer, 1, tmp_path, source, trainer)
    with pytest.raises(TrainingError, match="different rows"):
        join_folds(fewer, tmp_path)
    shutil.rmtree(fold_folder(tmp_path, 1))
    finish_fold(fewer, 1, tmp_path, source, trainer)


def test_too_few_photos_or_a_table_without_groups_are_refused(table, tiny_recipe):
    with pytest.raises(TrainingError, match="too few for 50 folds"):
        plan_folds(table, tiny_recipe, 50)
    with pytest.raises(CatalogueError, match="no column group"):
        plan_folds(table.drop_columns("group"), tiny_recipe, FOLDS)
