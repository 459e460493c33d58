from dataclasses import replace

import numpy as np
import pytest

from fakes import FakeScores, build_card, build_path_card
from hangtag.bundle.card import GateCard
from hangtag.domain.flags import Flag
from hangtag.imaging.visibility import QUALITY_FLAGS
from hangtag.inference.sureness import category_levels, count_sure_levels, list_flags, over_gate

LEVELS = ("masterCategory", "subCategory", "articleType")
PLAIN = build_path_card([("Apparel", "Topwear", "Tshirts"), ("Footwear", "Shoes", "Heels")])


def card_with(*thresholds, **changes):
    heads = [
        replace(head, threshold=threshold) for head, threshold in zip(PLAIN.heads, thresholds, strict=True)
    ]
    return replace(PLAIN, heads=heads, **changes)


def scores_of(*confidences):
    """Return the scores of photos whose chosen labels have these confidences, one for each level."""
    rows = np.float32(confidences).reshape(-1, len(LEVELS))
    return FakeScores(
        {level: np.stack([rows[:, place], 1 - rows[:, place]], axis=1) for place, level in enumerate(LEVELS)},
        dict.fromkeys(LEVELS, np.zeros(len(rows), np.int64)),
    )


def test_the_answer_ends_above_the_first_level_under_its_threshold():
    scores = scores_of((0.9, 0.9, 0.9), (0.9, 0.9, 0.1), (0.9, 0.1, 0.9), (0.1, 0.9, 0.9), (0.5, 0.6, 0.7))
    assert count_sure_levels(scores, card_with(0.5, 0.6, 0.7)).tolist() == [3, 2, 1, 0, 3]


def test_without_thresholds_and_target_every_level_is_sure():
    assert count_sure_levels(scores_of((0.1, 0.1, 0.1)), PLAIN).tolist() == [3]


def test_a_level_that_never_reached_the_target_is_never_sure():
    card = card_with(0.5, None, 0.5, target_accuracy=0.98)
    assert count_sure_levels(scores_of((1, 1, 1)), card).tolist() == [1]


def test_no_photos_and_no_levels_have_no_sure_levels():
    assert count_sure_levels(scores_of(), card_with(0.5, 0.5, 0.5)).tolist() == []
    colour = build_card(heads={"baseColour": ("Red", "Blue")})
    scores = FakeScores({"baseColour": np.eye(2, dtype=np.float32)}, {"baseColour": np.arange(2)})
    assert count_sure_levels(scores, colour).tolist() == [0, 0]
    assert category_levels(colour) == ()


@pytest.mark.parametrize(("score", "flagged"), [(3.0, False), (3.5, False), (3.6, True)])
def test_the_gate_flags_what_is_over_its_threshold(score, flagged):
    card = replace(PLAIN, gate=GateCard("not_a_product", 3.5, "energy"))
    scores = replace(scores_of((1, 1, 1)), gate=np.float32([score]))
    assert over_gate(scores, card).tolist() == [flagged]
    clean = np.zeros((1, len(QUALITY_FLAGS)), np.bool_)
    assert list_flags(scores, card, clean) == [(Flag.NOT_A_PRODUCT,) if flagged else ()]


def test_a_model_without_a_gate_still_says_what_is_wrong_with_a_photo():
    quality = np.array([[False] * 4, [flag in {Flag.TOO_SMALL, Flag.BLURRED} for flag in QUALITY_FLAGS]])
    assert list_flags(scores_of((1, 1, 1), (1, 1, 1)), PLAIN, quality) == [
        (),
        (Flag.TOO_SMALL, Flag.BLURRED),
    ]
