import json
import math

import pytest

from hangtag.catalogue.noise_ceiling import measure_noise_ceilings
from hangtag.imaging.fingerprint import Fingerprint


def photos_of(groups):
    """Return photos and their labels: each group is one picture, each label a photo of it; pictures are unlike.

    A label `Red*` is one of other pixels that shows nearly the same picture.
    """
    prints, labels = {}, {}
    for number, group in enumerate(groups):
        code = bytes([255 if byte // 8 == number else 0 for byte in range(64)])
        for label in group:
            id_ = f"{len(prints)}"
            digest = f"{number}{'*' if label and label.endswith('*') else ''}"
            prints[f"{id_}.jpg"] = Fingerprint(digest, code, bytes([number * 20] * 900))
            labels[f"{id_}.jpg"] = (label and label.rstrip("*"),)
    return prints, labels


def measure(groups):
    prints, labels = photos_of(groups)
    return measure_noise_ceilings(prints, ("baseColour",), labels)


def test_pairs_and_majorities_by_hand():
    exact, near = measure([["Red", "Red", "Blue"], ["Red", "Green"], ["Red", "Red"], ["Red"]])
    assert (exact.column, exact.likeness) == ("baseColour", "exact")
    assert (exact.groups, exact.photos) == (3, 7)
    assert (exact.pairs, exact.disagreeing_pairs) == (3 + 1 + 1, 2 + 1)
    assert exact.disagreement == pytest.approx(3 / 5)
    assert exact.best_accuracy == pytest.approx((2 + 1 + 2) / 7)
    # A red photo of the first group meets its label in half of the others, the blue one in none.
    assert exact.twin_agreement == pytest.approx((0.5 + 0.5 + 0 + 0 + 0 + 1 + 1) / 7)
    assert (near.likeness, near.groups, near.photos) == ("near", 0, 0)
    assert math.isnan(near.best_accuracy)
    assert near.interval_95 == (0.0, 1.0)


def test_near_duplicates_are_groups_of_unlike_pixels():
    exact, near = measure([["Red", "Red", "Blue*"], ["Red", "Blue"]])
    assert (exact.groups, exact.photos, exact.disagreeing_pairs) == (2, 4, 1)
    assert (near.groups, near.photos, near.pairs, near.disagreeing_pairs) == (1, 3, 3, 2)


def test_a_missing_label_and_a_photo_without_row_contradict_nothing():
    prints, labels = photos_of([["Red", None], ["Red", "Red", None, "Red"]])
    del labels["5.jpg"]
    exact = measure_noise_ceilings(prints, ("baseColour",), labels)[0]
    assert (exact.groups, exact.photos, exact.disagreeing_pairs) == (1, 2, 0)


def test_full_agreement_has_an_interval_that_counts_groups():
    exact = measure([["Red"] * 10] * 3)[0]
    low, high = exact.interval_95
    assert (exact.best_accuracy, high) == (1.0, pytest.approx(1.0))
    assert low == pytest.approx(3 / (3 + 1.96**2), abs=1e-3)  # Wilson's lower end of 3 out of 3


def test_the_interval_narrows_with_more_groups_and_holds_the_share():
    widths = []
    for repeats in (1, 3):
        exact = measure([["Red", "Red"], ["Red", "Blue"], ["Red", "Red", "Blue"]] * repeats)[0]
        low, high = exact.interval_95
        assert 0 < low < exact.best_accuracy < high < 1
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_twins_agree_less_often_than_the_best_answer_is_right():
    exact = measure([["Red", "Blue"], ["Red", "Red", "Blue"], ["Red", "Red"]])[0]
    assert exact.twin_agreement < exact.best_accuracy


def test_a_share_of_nothing_is_null_in_json():
    exact, near = measure([["Red", "Blue"]])
    assert exact.to_json()["disagreement"] == 1.0
    assert near.to_json()["best_accuracy"] is None
    assert json.loads(json.dumps(near.to_json()))["interval_95"] == [0.0, 1.0]
