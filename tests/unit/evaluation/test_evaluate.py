import json
import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from fakes import COLOURS, FakeModel, build_card, encode, paint
from hangtag.domain.errors import CatalogueError, PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.evaluation.answers import answer_photos
from hangtag.evaluation.evaluate import measure
from hangtag.evaluation.photo_set import split_photos
from hangtag.evaluation.precision import compare_precisions
from hangtag.evaluation.report import add_to_card

MASTERS = {"Red": "Apparel", "Green": "Footwear", "Blue": "Accessories"}


class MemoryCatalogue:
    """The photos by name."""

    name = "memory"

    def __init__(self, photos):
        self.photos = photos

    def read_photo(self, name):
        if name not in self.photos:
            raise PhotoError(Reason.NOT_FOUND)
        return self.photos[name]


def build_split(rows):
    """Build a split table and its catalogue from rows (painted colour, baseColour, masterCategory, split)."""
    names = [f"{position}.png" for position in range(len(rows))]
    photos = {name: encode(paint(row[0])) for name, row in zip(names, rows, strict=True) if row[0]}
    table = pa.table(
        {
            "photo": names,
            "baseColour": pa.array([row[1] for row in rows], pa.string()),
            "masterCategory": pa.array([row[2] for row in rows], pa.string()),
            "split": [row[3] for row in rows],
        }
    ).replace_schema_metadata(
        {b"hangtag.split": json.dumps({"strategy": "grouped", "seed": 7, "counts": {"test": len(rows)}})}
    )
    return table, MemoryCatalogue(photos)


def evaluate(model, table, catalogue, split="test"):
    return measure(model, split_photos(table, catalogue, split)).report


@pytest.fixture
def right_and_wrong():
    """Test rows with every kind of fault, and a row of another split."""
    return build_split(
        [
            ("Red", "Red", "Apparel", "test"),
            ("Red", "Green", "Apparel", "test"),
            ("Green", "Green", "Apparel", "test"),
            ("Blue", None, "Accessories", "test"),
            ("Blue", "Mauve", "Accessories", "test"),
            (None, "Red", "Apparel", "test"),
            ("Red", "Blue", "Footwear", "train"),
        ]
    )


def test_each_head_is_measured_on_the_rows_that_have_its_label(right_and_wrong):
    table, catalogue = right_and_wrong
    report = evaluate(FakeModel(), table, catalogue)
    colour = report["heads"]["baseColour"]
    assert (colour["support"], colour["missing_labels"], colour["unknown_labels"]) == (4, 1, 1)
    assert colour["top1_accuracy"] == 0.5
    assert colour["top3_accuracy"] == 0.75
    # Red: 2/3, Green: 2/3, the unknown Mauve: 0
    assert colour["macro_f1"] == pytest.approx(4 / 9)
    assert colour["classes"] == 3
    master = report["heads"]["masterCategory"]
    assert (master["support"], master["top1_accuracy"]) == (5, 0.8)


def test_each_class_has_its_figures_and_its_confusions(right_and_wrong):
    report = evaluate(FakeModel(), *right_and_wrong)
    colour = report["heads"]["baseColour"]
    rows = {row.pop("label"): row for row in colour["per_class"]}
    assert list(rows) == ["Green", "Mauve", "Red", "Blue"]  # the most frequent first, then by name
    assert rows["Green"] == {"support": 2, "answered": 1, "precision": 1.0, "recall": 0.5, "f1": 0.666667}
    assert rows["Mauve"] == {"support": 1, "answered": 0, "precision": None, "recall": 0.0, "f1": 0.0}
    assert rows["Blue"] == {"support": 0, "answered": 1, "precision": 0.0, "recall": None, "f1": None}
    assert colour["confusion"] == {
        "labels": ["Red", "Green", "Blue", "Mauve"],
        "counts": [[0, 0, 1], [1, 0, 1], [1, 1, 1], [3, 2, 1]],
    }


def test_reliability_holds_the_answers_that_are_counted(right_and_wrong):
    colour = evaluate(FakeModel(), *right_and_wrong)["heads"]["baseColour"]
    assert sum(one["count"] for one in colour["reliability"]) == 4
    (only,) = colour["reliability"]
    assert only["low"] < only["confidence"] <= only["high"]
    assert only["accuracy"] == 0.5


def test_all_right_is_counted_over_rows_with_all_labels(right_and_wrong):
    report = evaluate(FakeModel(), *right_and_wrong)
    assert report["all_right"]["support"] == 4
    assert report["all_right"]["rate"] == 0.25


def test_a_report_says_what_was_measured(right_and_wrong):
    report = evaluate(FakeModel(), *right_and_wrong)
    assert report["model"] == {"name": "fake", "version": "1"}
    assert report["split"] == {"name": "test", "strategy": "grouped", "seed": 7, "counts": {"test": 7}}
    assert report["photos"] == {"labelled": 5, "failed": {"not_found": 1}}
    heads = report["heads"].values()
    assert report["mean_top1_accuracy"] == pytest.approx(sum(head["top1_accuracy"] for head in heads) / 2)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_figures_are_those_of_scikit_learn_on_many_rows():
    dice = np.random.default_rng(3)
    names = list(COLOURS)
    rows = [(names[dice.integers(3)], names[dice.integers(3)], "Apparel", "validation") for _ in range(150)]
    report = evaluate(FakeModel(), *build_split(rows), split="validation")
    truth, answers = [row[1] for row in rows], [row[0] for row in rows]
    head = report["heads"]["baseColour"]
    assert head["top1_accuracy"] == pytest.approx(
        np.mean([a == b for a, b in zip(truth, answers, strict=True)])
    )
    assert head["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    assert head["top3_accuracy"] == 1.0


def test_a_column_without_labels_has_no_figures_and_takes_no_part():
    report = evaluate(FakeModel(), *build_split([("Red", None, "Apparel", "test")]))
    head = report["heads"]["baseColour"]
    assert (head["support"], head["top1_accuracy"], head["macro_f1"]) == (0, None, None)
    assert (head["per_class"], head["confusion"]["counts"], head["reliability"]) == ([], [], [])
    assert report["all_right"]["rate"] == 1.0
    assert report["all_right"]["heads"] == ["masterCategory"]
    assert report["mean_top1_accuracy"] == 1.0


def test_without_any_label_there_is_no_figure_at_all():
    report = evaluate(FakeModel(), *build_split([("Red", None, None, "test")]))
    assert report["all_right"] == {"rate": None, "interval_95": [0.0, 1.0], "support": 0, "heads": []}
    assert report["mean_top1_accuracy"] is None
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_set_of_unreadable_photos_is_counted_and_has_no_figure():
    table, catalogue = build_split([(None, "Red", "Apparel", "test")] * 3)
    measured = measure(FakeModel(), split_photos(table, catalogue, "test"))
    assert measured.report["photos"] == {"labelled": 0, "failed": {"not_found": 3}}
    assert measured.report["heads"]["baseColour"]["top1_accuracy"] is None
    assert measured.answers.reasons == (Reason.NOT_FOUND,) * 3


def test_answers_keep_their_rows_when_photos_fail():
    rows = [
        ("Red", "Red", "Apparel", "test") if n % 3 else (None, "Blue", "Apparel", "test") for n in range(200)
    ]
    seen = []
    photos = split_photos(*build_split(rows), "test")
    answers = answer_photos(FakeModel(), photos, threads=3, on_progress=lambda *step: seen.append(step))
    assert answers.failed == {Reason.NOT_FOUND: 67}
    assert answers.rows["baseColour"].to_pylist() == ["Red"] * 133
    assert answers.predictions.label_indices["baseColour"].tolist() == [0] * 133
    assert answers.predictions.confidence("baseColour").min() > 0.8
    assert [reason is None for reason in answers.reasons] == [n % 3 != 0 for n in range(200)]
    assert seen[-1] == (200, 200)
    assert sorted(seen) == seen


def test_a_split_without_rows_is_refused(right_and_wrong):
    with pytest.raises(UsageError, match="no validation rows"):
        evaluate(FakeModel(), *right_and_wrong, split="validation")


def test_a_table_that_is_no_split_table_is_refused(right_and_wrong):
    table, catalogue = right_and_wrong
    with pytest.raises(CatalogueError, match="split"):
        evaluate(FakeModel(), table.drop_columns(["split"]), catalogue)
    with pytest.raises(CatalogueError, match="baseColour"):
        evaluate(FakeModel(), table.drop_columns(["baseColour", "masterCategory"]), catalogue)


def test_a_card_keeps_the_figures_of_each_split(right_and_wrong):
    report = evaluate(FakeModel(), *right_and_wrong)
    card = add_to_card(build_card(metrics={"train": {"heads": {}}}), report)
    assert set(card.metrics) == {"train", "test"}
    assert card.metrics["test"]["heads"] == report["heads"]
    assert "model" not in card.metrics["test"]


def test_precisions_are_compared_head_by_head(right_and_wrong):
    class Hasty(FakeModel):
        def run(self, pixels):
            outputs = super().run(pixels)
            return outputs | {"baseColour": outputs["baseColour"] - [0, 99, 99]}

    costs = compare_precisions(FakeModel(), Hasty(), *right_and_wrong, split="test")
    assert costs["masterCategory"].agreement == 1.0
    assert costs["masterCategory"].lost_points == 0.0
    colour = costs["baseColour"]
    assert (colour.reference_accuracy, colour.accuracy, colour.support) == (0.5, 0.25, 4)
    assert colour.agreement == pytest.approx(0.4)
    assert math.isclose(colour.lost_points, 25.0)
