import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from hangtag.evaluation.metrics import expected_calibration_error, macro_f1, share, wilson_interval

pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60)


def arrays(values):
    return tuple(np.array(column) for column in zip(*values, strict=True))


@given(pairs)
def test_accuracy_and_macro_f1_are_those_of_scikit_learn(values):
    truth, answers = arrays(values)
    assert share(truth == answers) == pytest.approx(accuracy_score(truth, answers))
    expected = f1_score(truth, answers, labels=np.unique(truth), average="macro", zero_division=0)
    assert macro_f1(truth, answers) == pytest.approx(expected)


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
    assert wilson_interval(0, 0) == (0.0, 1.0)
