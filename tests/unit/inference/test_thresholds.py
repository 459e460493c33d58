from dataclasses import replace

import numpy as np
import pytest

from fakes import build_card, predictions_of
from hangtag.bundle.card import OodDetectorCard
from hangtag.inference.calibration import (
    FEWEST_ANSWERED,
    LOWEST_THRESHOLD,
    choose_ood_threshold,
    choose_path_thresholds,
    choose_threshold,
    choose_thresholds,
    lower_bound,
    widen_ood_threshold,
)
from hangtag.inference.predictions import NO_LABEL


def draw(photos, random):
    """Return confidences, and hits that are as likely as the confidences say."""
    confidence = random.uniform(0.5, 1, photos).astype(np.float32)
    return confidence, random.random(photos) < confidence


@pytest.mark.parametrize("target", [0.8, 0.85, 0.9])
def test_what_is_answered_is_right_as_often_as_was_asked_for_and_no_rarer_than_needed(target):
    random = np.random.default_rng(0)
    threshold = choose_threshold(*draw(20_000, random), target)
    confidence, hits = draw(20_000, random)
    # Right in (1 + threshold) / 2 of the cases on average.
    assert threshold == pytest.approx(2 * target - 1, abs=0.03)
    assert hits[confidence >= threshold].mean() == pytest.approx(target, abs=0.012)


def test_it_is_the_lowest_threshold_that_will_do():
    confidence = np.linspace(1, 0.6, 1000, dtype=np.float32)
    hits = np.arange(1000) < 700
    threshold = choose_threshold(confidence, hits, 0.9)
    answered = confidence >= threshold
    bound = lower_bound(np.array([hits[answered].sum()]), np.array([answered.sum()]))
    assert bound[0] >= 0.9 > lower_bound(np.array([700]), np.array([answered.sum() + 1]))[0]


def test_photos_of_equal_confidence_are_answered_together():
    confidence = np.float32([0.9] * 100 + [0.8] * 100)
    hits = np.array([True] * 100 + [True] * 60 + [False] * 40)
    assert choose_threshold(confidence, hits, 0.9) == pytest.approx(0.9)
    assert choose_threshold(np.full(200, 0.9, np.float32), hits, 0.9) is None


def test_few_photos_are_no_reason_for_a_threshold():
    few = FEWEST_ANSWERED - 1
    assert choose_threshold(np.full(few, 0.9), np.ones(few, np.bool_), 0.5) is None
    assert choose_threshold(np.empty(0), np.empty(0, np.bool_), 0.5) is None
    confidence, hits = np.linspace(1, 0.5, 1000), np.arange(1000) < 200  # right at the surest fifth only
    assert choose_threshold(confidence, hits, 0.98) is None


def test_what_is_more_likely_wrong_than_right_is_no_answer():
    assert choose_threshold(np.linspace(1, 0.1, 1000), np.ones(1000, np.bool_), 0.98) == LOWEST_THRESHOLD


def test_the_bound_is_below_the_share_and_comes_closer_with_more_photos():
    shares = [lower_bound(np.array([98 * n]), np.array([100 * n]))[0] for n in (1, 10, 100)]
    assert 0.96 < shares[0] < shares[1] < shares[2] < 0.98
    # Wilson's 95 % interval of 9 in 10 begins at 0.596 (1.96 deviations).
    assert lower_bound(np.array([9]), np.array([10]), 1.96)[0] == pytest.approx(0.596, abs=1e-3)


@pytest.mark.parametrize(("share", "over"), [(0.02, 2), (0.0, 0), (0.5, 50)])
def test_the_ood_detector_flags_at_most_its_share_of_the_products(share, over):
    scores = np.random.default_rng(0).permutation(100).astype(np.float32)
    assert (scores > choose_ood_threshold(scores, share)).sum() == over
    assert (np.ones(100) > choose_ood_threshold(np.ones(100))).sum() == 0


def test_an_ood_detector_is_widened_for_the_products_of_other_sets_and_never_narrowed():
    card = build_card(ood_detector=OodDetectorCard("not_a_product", 1.0, "a drawn score"))
    others, few, like_the_own = np.arange(100) / 10, np.full(10, 99.0), np.zeros(100)
    widened = widen_ood_threshold(card, [others, few, like_the_own])
    assert widened.ood_detector.threshold == pytest.approx(9.7)
    assert widen_ood_threshold(card, [few, like_the_own]) == card
    assert widen_ood_threshold(build_card(), [others]).ood_detector is None


def test_products_abroad_get_all_the_room_that_the_negatives_leave():
    card = build_card(ood_detector=OodDetectorCard("not_a_product", 1.0, "a drawn score"))
    products, negatives = np.zeros(100), np.arange(200) / 4
    widened = widen_ood_threshold(card, [products], negatives).ood_detector.threshold
    assert (negatives > widened).mean() == pytest.approx(0.95)
    assert widen_ood_threshold(card, [products + 5.0], negatives).ood_detector.threshold == pytest.approx(5)
    assert widen_ood_threshold(card, [products], negatives[:50]) == card


def test_an_ood_detector_without_products_has_no_threshold():
    with pytest.raises(ValueError, match="photos of products"):
        choose_ood_threshold(np.empty(0))


def test_the_card_gains_what_was_chosen_and_unknown_labels_do_not_count():
    card = build_card(
        heads={"gender": ("Men", "Women"), "season": ("Summer", "Winter")},
        ood_detector=OodDetectorCard("not_a_product", 0.0, "a drawn score"),
    )
    sure = np.tile(np.float32([[0.9, 0.1]]), (300, 1))
    nobody_knows = np.arange(300) >= 200
    scores = predictions_of(
        card, {"gender": sure, "season": sure}, ood_score=np.where(nobody_knows, 9, 1).astype(np.float32)
    )
    right = np.where(nobody_knows, NO_LABEL, 0)
    wrong = np.where(nobody_knows, NO_LABEL, np.arange(300) % 2)
    found = choose_thresholds(card, scores, {"gender": right, "season": wrong}, 0.98)
    assert found.head("gender").threshold == pytest.approx(0.9)
    assert found.head("season").threshold is None
    assert found.target_accuracy == 0.98
    assert found.ood_detector == replace(card.ood_detector, threshold=1.0)


def test_answers_that_end_above_the_leaf_are_right_as_often_as_the_others():
    random = np.random.default_rng(5)
    leaf = random.uniform(0.3, 1, 40_000).astype(np.float32)
    parent = np.minimum(1, leaf + np.float32(0.2))  # sure of more, and right more often, in the same order
    lucky = random.random(len(leaf))
    right = {"articleType": lucky < leaf, "subCategory": lucky < parent}
    scores = predictions_of(
        build_card(heads=dict.fromkeys(("subCategory", "articleType"), ("right", "wrong"))),
        {
            level: np.stack([values, 1 - values], axis=1)
            for level, values in (("articleType", leaf), ("subCategory", parent))
        },
        dict.fromkeys(right, np.zeros(len(leaf), np.int64)),
    )
    targets = {level: np.where(hits, 0, 1) for level, hits in right.items()}
    found = choose_path_thresholds(("subCategory", "articleType"), scores, targets, 0.9)
    at_leaf = leaf >= found["articleType"]
    above = ~at_leaf & (parent >= found["subCategory"])
    assert right["articleType"][at_leaf].mean() == pytest.approx(0.9, abs=0.01)
    assert right["subCategory"][above].mean() == pytest.approx(0.9, abs=0.015)
    assert above.mean() > 0.1


def test_a_level_that_fails_takes_the_threshold_of_the_one_below_it():
    sure = np.linspace(1, 0.5, 1000, dtype=np.float32)
    rows = np.stack([sure, 1 - sure], axis=1)
    levels = ("masterCategory", "articleType")
    card = build_card(heads=dict.fromkeys(levels, ("right", "wrong")))
    chosen = dict.fromkeys(levels, np.zeros(1000, np.int64))
    scores = predictions_of(card, dict.fromkeys(levels, rows), chosen)
    targets = dict.fromkeys(("masterCategory", "articleType"), (np.arange(1000) >= 500).astype(np.int64))
    found = choose_path_thresholds(("masterCategory", "articleType"), scores, targets, 0.98)
    assert found["masterCategory"] == found["articleType"] == pytest.approx(0.75, abs=0.01)
    wrong = {level: np.ones(1000, np.int64) for level in targets}
    assert set(choose_path_thresholds(tuple(wrong), scores, wrong, 0.98).values()) == {None}
    assert choose_path_thresholds((), scores, targets, 0.98) == {}
