import numpy as np
import pytest

from hangtag.adapting.effort import draw_control, estimate_labels, measure_accuracy

COUNTS = (25, 50, 100, 200, 400)


def test_the_control_is_drawn_by_name_and_has_the_share_that_was_asked_for():
    names = [f"photo {number}.jpg" for number in range(5000)]
    drawn = [names[position] for position in draw_control(names, 0.05)]
    assert 0.04 < len(drawn) / 5000 < 0.06
    assert [
        names[::-1][position] for position in draw_control(names[::-1], 0.05)
    ] == drawn  # in the same order
    assert [names[position] for position in draw_control(names, 0.05, seed="another shop")] != drawn
    assert len(draw_control(names, 1.0)) == 5000
    assert not len(draw_control(names, 0.0))


def test_accuracy_comes_with_its_interval():
    found = measure_accuracy(np.array([True] * 130 + [False] * 10))
    assert found.checked == 140
    assert found.share == pytest.approx(130 / 140)
    assert found.interval == pytest.approx((0.8739, 0.9608), abs=1e-3)  # statsmodels' Wilson interval
    assert measure_accuracy(np.array([], bool)) is None


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_labels_left_are_those_at_which_a_power_law_reaches_the_target(power):
    curve = {count: 1 - 1.2 * count**-power for count in COUNTS}
    target = 1 - 1.2 * 1000**-power
    assert estimate_labels(curve, target) == pytest.approx(1000, rel=0.15)


def test_a_curve_that_levels_off_below_the_target_never_reaches_it():
    curve = {count: 0.8 - 0.5 * count**-0.8 for count in COUNTS}
    assert estimate_labels(curve, 0.95) is None
    assert estimate_labels(curve, 0.79) == 200  # the first count that reached it


def test_what_was_reached_needs_no_guess_and_two_points_allow_none():
    curve = {25: 0.5, 50: 0.9, 100: 0.92}
    assert estimate_labels(curve, 0.9) == 50
    assert estimate_labels({25: 0.5, 50: 0.6}, 0.9) is None
