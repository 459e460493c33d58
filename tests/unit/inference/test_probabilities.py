import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.inference.predictions import rank
from hangtag.inference.probabilities import calibrated_log_probabilities

LOGITS = st.lists(st.lists(st.floats(-500, 500, width=32), min_size=4, max_size=4), max_size=5)


def matrix(rows):
    return np.array(rows, np.float32).reshape(-1, 4)


@given(rows=LOGITS, temperature=st.floats(0.05, 20))
def test_probabilities_sum_to_one_and_keep_the_order_of_the_logits(rows, temperature):
    logits = matrix(rows)
    probabilities = np.exp(calibrated_log_probabilities(logits, temperature))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities >= 0).all()
    best = np.take_along_axis(probabilities, logits.argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_array_equal(best, probabilities.max(axis=1))


def test_the_temperature_divides_the_logits():
    logits = np.float32([[2.0, 0.0, -1.0]])
    expected = np.exp([1.0, 0.0, -0.5]) / np.exp([1.0, 0.0, -0.5]).sum()
    np.testing.assert_allclose(np.exp(calibrated_log_probabilities(logits, 2.0))[0], expected, rtol=1e-6)


def test_the_logits_stay_as_they_are():
    logits = np.float32([[2.0, 0.0, -1.0]])
    calibrated_log_probabilities(logits, 1.0)
    np.testing.assert_array_equal(logits, [[2.0, 0.0, -1.0]])


def test_the_chosen_class_goes_first_and_the_others_follow_by_probability():
    probabilities = np.float32([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    assert rank(probabilities, np.array([1, 0]), 3).tolist() == [[1, 3, 2], [0, 1, 2]]


@pytest.mark.parametrize("top_k", [1, 4, 99])
def test_there_are_no_more_candidates_than_classes(top_k):
    assert rank(np.float32([[0.1, 0.2, 0.3, 0.4]]), np.array([3]), top_k).shape == (1, min(top_k, 4))
