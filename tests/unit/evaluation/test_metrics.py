import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support
from sklearn.metrics import confusion_matrix as dense_confusion_matrix

from hangtag.evaluation.metrics import (
    class_scores,
    confusion_counts,
    expected_calibration_error,
    macro_f1,
    reliability_bins,
    share,
)
from hangtag.inference.calibration import wilson_interval

pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60)


def arrays(values):
    return tuple(np.array(column) for column in zip(*values, strict=True))


@given(pairs)
def test_accuracy_and_macro_f1_are_those_of_scikit_learn(values):
    truth, answers = arrays(values)
    assert share(truth == answers) == pytest.approx(accuracy_score(truth, answers))
    expected = f1_score(truth, answers, labels=np.unique(truth), average="macro", zero_division=0)
    assert macro_f1(truth, answers) == pytest.approx(expected)


@given(pairs)
def test_confusion_and_class_figures_are_those_of_scikit_learn(values):
    truth, answers = arrays(values)
    dense = np.zeros((7, 7), int)
    for true, answered, count in confusion_counts(truth, answers).tolist():
        dense[true, answered] = count
    assert (dense == dense_confusion_matrix(truth, answers, labels=range(7))).all()
    expected = precision_recall_fscore_support(truth, answers, labels=range(7), zero_division=np.nan)
    found = class_scores(truth, answers, 7)
    never_true, never_answered = found.support == 0, found.answered == 0
    assert found.precision == pytest.approx(expected[0], nan_ok=True)
    assert found.recall == pytest.approx(expected[1], nan_ok=True)
    assert found.f1[~never_true] == pytest.approx(expected[2][~never_true])
    assert np.isnan(found.f1[never_true]).all()
    assert (found.support == expected[3]).all()
    assert np.isnan(found.precision[never_answered]).all()
    assert np.nanmean(found.f1) == pytest.approx(macro_f1(truth, answers))


def test_reliability_tells_confidence_beside_accuracy_bin_by_bin():
    confidence = np.array([0.05, 0.1, 0.31, 0.99, 1.0, 0.95])
    hits = np.array([False, True, False, True, True, False])
    found = reliability_bins(confidence, hits, bins=10)
    assert [(one.low, one.high, one.count) for one in found] == [(0.0, 0.1, 2), (0.3, 0.4, 1), (0.9, 1.0, 3)]
    assert [one.accuracy for one in found] == pytest.approx([0.5, 0.0, 2 / 3])
    assert [one.confidence for one in found] == pytest.approx([0.075, 0.31, 0.98])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200))
def test_calibration_error_is_the_weighted_gap_of_the_bins(values):
    confidence, hits = arrays(values)
    expected = 0.0
    for step in range(15):
        low, high = step / 15, (step + 1) / 15
        inside = np.array([low < value * 1.0 <= high or (step == 0 and value == 0) for value in confidence])
        if inside.any():
            expected += inside.mean() * abs(hits[inside].mean() - confidence[inside].mean())
    found = expected_calibration_error(confidence, hits)
    # Values that stand exactly on an edge may fall to either side of it.
    on_edge = np.isclose(confidence * 15, np.round(confidence * 15), atol=1e-9).any()
    assert on_edge or found == pytest.approx(expected, abs=1e-9)
    assert 0 <= found <= 1


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_not():
    sure = np.ones(4)
    assert expected_calibration_error(sure, np.ones(4, bool)) == 0
    assert expected_calibration_error(sure, np.zeros(4, bool)) == 1
    assert expected_calibration_error(np.full(4, 0.75), np.array([1, 1, 1, 0], bool)) == pytest.approx(0)


@pytest.mark.parametrize(
    ("hits", "support", "interval"),
    [
        # Newcombe (1998), table I, method 3
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_intervals_are_the_published_ones(hits, support, interval):
    assert wilson_interval(hits, support) == pytest.approx(interval, abs=5e-5)


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_rate(hits, misses):
    low, high = wilson_interval(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low <= hits / (hits + misses) <= high


def test_of_nothing_there_is_no_figure():
    nothing = np.array([], np.int64)
    assert math.isnan(share(nothing == 0))
    assert math.isnan(macro_f1(nothing, nothing))
    assert math.isnan(expected_calibration_error(np.array([]), nothing == 0))
    assert reliability_bins(np.array([]), nothing == 0) == ()
    assert confusion_counts(nothing, nothing).tolist() == []
    assert class_scores(nothing, nothing, 2).support.tolist() == [0, 0]
    assert wilson_interval(0, 0) == (0.0, 1.0)
