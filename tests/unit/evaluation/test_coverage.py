from dataclasses import replace

import numpy as np
import pytest

from fakes import build_card
from hangtag.bundle.card import HeadCard, OodDetectorCard
from hangtag.evaluation.heads import (
    CURVE_POINTS,
    coverage_curve,
    measure_answered,
    measure_answers,
    measure_ood_detector,
)

HEAD = HeadCard("gender", ("Men", "Women"), threshold=0.8)
CARD = replace(build_card(), target_accuracy=0.9)
LEVELS = ("masterCategory", "articleType")


def test_what_reaches_the_threshold_is_answered():
    found = measure_answered(HEAD, np.array([0.9, 0.8, 0.79, 0.95]), np.array([True, False, True, True]))
    assert (found["coverage"], found["accuracy"]) == (0.75, pytest.approx(2 / 3))
    assert found["interval_95"][0] < 2 / 3 < found["interval_95"][1]


def test_a_confidence_that_is_the_threshold_reaches_it_though_it_is_a_float32():
    threshold = float(np.float32(0.7))
    found = measure_answered(replace(HEAD, threshold=threshold), np.array([threshold]), np.array([True]))
    assert found["coverage"] == 1
    above = replace(HEAD, threshold=0.7)  # as float32, it is a little less
    assert measure_answered(above, np.array([float(np.float32(0.7))]), np.array([True]))["coverage"] == 1


@pytest.mark.parametrize("head", [replace(HEAD, threshold=None), HEAD])
def test_without_threshold_or_photos_nothing_is_known(head):
    found = measure_answered(head, np.empty(0), np.empty(0, np.bool_))
    assert (found["coverage"], found["accuracy"], found["interval_95"]) == (None, None, None)


def test_nothing_sure_enough_is_no_coverage_and_no_accuracy():
    found = measure_answered(HEAD, np.array([0.1]), np.array([True]))
    assert (found["coverage"], found["accuracy"]) == (0, None)


def test_the_curve_falls_from_the_most_confident_to_all():
    confidence = np.linspace(1, 0, 1000)
    curve = coverage_curve(confidence, np.arange(1000) < 500)
    assert len(curve) == CURVE_POINTS
    assert [point["accuracy"] for point in curve[:25]] == [1.0] * 25
    assert curve[-1] == {"coverage": 1.0, "accuracy": 0.5, "confidence": 0.0}
    assert [point["coverage"] for point in curve] == pytest.approx(np.arange(1, 51) / 50, abs=1e-9)


def test_photos_of_equal_confidence_are_one_point_of_the_curve():
    curve = coverage_curve(np.array([0.5] * 60 + [0.9] * 40), np.array([False] * 60 + [True] * 40))
    assert curve == [
        {"coverage": 0.4, "accuracy": 1.0, "confidence": 0.9},
        {"coverage": 1.0, "accuracy": 0.4, "confidence": 0.5},
    ]
    assert coverage_curve(np.empty(0), np.empty(0, np.bool_)) == []


def test_an_answer_is_right_when_all_of_its_labels_are():
    right = {
        "masterCategory": np.array([1, 1, 0, 1, 0], bool),
        "articleType": np.array([1, 0, 1, 0, 1], bool),
    }
    known = dict.fromkeys(LEVELS, np.ones(5, np.bool_))
    found = measure_answers(CARD, LEVELS, np.array([2, 2, 2, 1, 0]), right, known)
    assert found["levels"] == [
        {"level": "articleType", "photos": 3, "share": 0.6, "accuracy": pytest.approx(1 / 3)},
        {"level": "masterCategory", "photos": 1, "share": 0.2, "accuracy": 1.0},
        {"level": None, "photos": 1, "share": 0.2, "accuracy": None},
    ]
    assert (found["coverage"], found["accuracy"], found["target_accuracy"]) == (0.8, 0.5, 0.9)


def test_photos_without_a_label_at_some_level_do_not_count():
    right = dict.fromkeys(LEVELS, np.array([True, False]))
    known = {"masterCategory": np.ones(2, np.bool_), "articleType": np.array([True, False])}
    found = measure_answers(CARD, LEVELS, np.array([2, 2]), right, known)
    assert (found["support"], found["accuracy"]) == (1, 1.0)
    nobody = {level: np.zeros(2, np.bool_) for level in LEVELS}
    assert measure_answers(CARD, LEVELS, np.array([2, 2]), right, nobody)["coverage"] is None


def test_the_ood_detector_is_measured_where_there_is_one():
    assert measure_ood_detector(CARD, np.array([True])) is None
    found = measure_ood_detector(
        replace(CARD, ood_detector=OodDetectorCard("score", 2.0, "drawn")), np.array([True, False])
    )
    assert found == {"threshold": 2.0, "photos": 2, "flagged": 1, "share": 0.5}
