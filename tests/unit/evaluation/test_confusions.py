import numpy as np
import pyarrow as pa
import pytest

from fakes import build_card, predictions_of
from hangtag.evaluation.answers import PhotoAnswers, Truth
from hangtag.evaluation.evaluate import Measurement
from hangtag.evaluation.reading import (
    Confusion,
    WrongAnswer,
    dense_matrix,
    find_confusions,
    find_wrong_answers,
    most_confused,
    row_shares,
)

LABELS = ["Red", "Green", "Blue", "Mauve"]


def test_mistakes_come_by_frequency_and_each_pair_once():
    counts = [[0, 0, 9], [0, 1, 2], [1, 0, 3], [2, 0, 4], [2, 2, 6]]
    assert find_confusions({"labels": LABELS, "counts": counts}) == [
        Confusion("Green", "Red", 3, 3, 2),
        Confusion("Blue", "Red", 4, 10),
    ]


def test_two_ways_that_are_equally_frequent_are_one_confusion():
    found = find_confusions({"labels": LABELS, "counts": [[0, 1, 2], [1, 0, 2]]})
    assert found == [Confusion("Red", "Green", 2, 2, 2)]


def test_without_a_mistake_there_is_no_confusion():
    assert find_confusions({"labels": LABELS, "counts": [[0, 0, 5]]}) == []


def test_the_photos_of_a_confusion_are_its_most_confident_mistakes():
    truth = Truth(np.array([0, 0, 1, 0, -1, 0]), tuple(LABELS))
    card = build_card(heads={"colour": LABELS})
    confidences = np.eye(4)[[1, 1, 0, 2, 1, 0]] * np.array([0.6, 0.9, 0.7, 1.0, 1.0, 1.0])[:, None]
    predictions = predictions_of(card, {"colour": confidences})
    photos = PhotoAnswers(pa.table({"photo": list("abcdef")}), predictions, (None,) * 6)
    measured = Measurement(card, photos, {"colour": truth}, {})
    both = find_wrong_answers(measured, "colour", Confusion("Red", "Green", 2, 4, 1))
    assert both == [
        WrongAnswer("b", "Green", pytest.approx(0.9)),
        WrongAnswer("c", "Red", pytest.approx(0.7)),
        WrongAnswer("a", "Green", pytest.approx(0.6)),
    ]
    one = find_wrong_answers(measured, "colour", Confusion("Red", "Blue", 1, 4))
    assert one == [WrongAnswer("d", "Blue", 1.0)]


def test_a_matrix_holds_the_labels_that_occur():
    labels, matrix = dense_matrix({"labels": LABELS, "counts": [[0, 0, 3], [0, 2, 1], [3, 0, 2]]})
    assert labels == ["Red", "Blue", "Mauve"]
    assert matrix.tolist() == [[3, 1, 0], [0, 0, 0], [2, 0, 0]]
    assert row_shares(matrix).tolist() == [[0.75, 0.25, 0], [0, 0, 0], [1, 0, 0]]
    assert dense_matrix({"labels": LABELS, "counts": []})[0] == []


@pytest.mark.parametrize(("limit", "expected"), [(1, [0]), (2, [0, 2]), (9, [0, 1, 2])])
def test_the_most_confused_labels_keep_their_order(limit, expected):
    assert most_confused(np.array([[5, 0, 3], [1, 90, 0], [4, 0, 5]]), limit) == expected
