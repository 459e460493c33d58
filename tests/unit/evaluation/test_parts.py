import numpy as np
import pyarrow as pa
import pytest

from fakes import build_card, predictions_of
from hangtag.evaluation.answers import PhotoAnswers, Truth
from hangtag.evaluation.evaluate import measure_parts
from hangtag.evaluation.photo_set import PhotoSet

CLASSES = ("Shirts", "Shoes")
ROWS = pa.table(
    {
        "photo": [f"{number}.jpg" for number in range(6)],
        "gender": ["Men", "Men", "Women", "Women", "Women", None],
        "group": [1, 2, 3, 4, 5, 6],
        "split": ["test"] * 6,
    }
)
TRAIN = pa.table({"photo": ["7.jpg"], "gender": ["Men"], "group": [3], "split": ["train"]})


@pytest.fixture
def answers():
    card = build_card(heads={"articleType": CLASSES})
    predictions = predictions_of(card, {"articleType": np.eye(2)[[0, 1, 0, 1, 1, 1]]})
    return PhotoAnswers(ROWS, predictions, (None,) * 6)


@pytest.fixture
def truths():
    return {"articleType": Truth(np.array([0, 0, 0, 1, 0, -1]), CLASSES)}


def build_set(split_table, name="test"):
    return PhotoSet(name, ROWS, None, {}, split_table)


def test_a_part_for_each_gender(answers, truths):
    parts = measure_parts(build_set(None), answers, truths)
    assert list(parts) == ["by"]
    men, women = parts["by"]["gender"]["Men"], parts["by"]["gender"]["Women"]
    assert (men["photos"], women["photos"]) == (2, 3)
    assert men["heads"]["articleType"]["top1_accuracy"] == 0.5
    assert women["heads"]["articleType"]["top1_accuracy"] == pytest.approx(2 / 3)
    assert women["all_right"]["support"] == 3


def test_photos_with_a_relative_in_train_stand_apart(answers, truths):
    table = pa.concat_tables([ROWS, TRAIN])
    apart = measure_parts(build_set(table), answers, truths)["apart_from_train"]
    assert apart["photos"] == 5
    assert apart["heads"]["articleType"]["support"] == 4
    assert apart["heads"]["articleType"]["top1_accuracy"] == 0.5
    assert "apart_from_train" not in measure_parts(build_set(table, "train"), answers, truths)
    assert "apart_from_train" not in measure_parts(build_set(table.drop_columns("group")), answers, truths)
