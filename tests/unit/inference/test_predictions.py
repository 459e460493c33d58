"""`Predictions`: how answers back off, what stands in the columns, and how they are cut, joined and shown."""

import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import build_card, build_path_card, encode, paint, predictions_of
from hangtag.bundle.card import OodDetectorCard
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.prediction import Failure, Flag, Label, Prediction
from hangtag.domain.reasons import Reason
from hangtag.imaging.visibility import QUALITY_FLAGS
from hangtag.inference.photos import NamedPhoto
from hangtag.inference.predictions import NO_LABEL, Predictions, category_levels
from hangtag.inference.probabilities import PredictionBuilder

LEVELS = ("masterCategory", "subCategory", "articleType")
PLAIN = build_path_card([("Apparel", "Topwear", "Tshirts"), ("Footwear", "Shoes", "Heels")])


def card_with(*thresholds, **changes):
    heads = [
        replace(head, threshold=threshold) for head, threshold in zip(PLAIN.heads, thresholds, strict=True)
    ]
    return replace(PLAIN, heads=heads, **changes)


def found_by(card, *confidences):
    """Return the predictions of photos whose chosen labels have these confidences, one for each level."""
    rows = np.float32(confidences).reshape(-1, len(LEVELS))
    return predictions_of(
        card,
        {level: np.stack([rows[:, place], 1 - rows[:, place]], axis=1) for place, level in enumerate(LEVELS)},
        dict.fromkeys(LEVELS, np.zeros(len(rows), np.int64)),
    )


@pytest.fixture
def mixed():
    """Three photos, of which the second one has no labels."""
    quality = np.array([[flag is Flag.BLURRED for flag in QUALITY_FLAGS], [False] * len(QUALITY_FLAGS)])
    found = predictions_of(
        card_with(0.5, 0.5, 0.5, target_accuracy=0.98),
        {
            "masterCategory": [[0.9, 0.1], [0.2, 0.8]],
            "subCategory": [[0.1, 0.9], [0.6, 0.4]],
            "articleType": [[0.3, 0.7], [0.7, 0.3]],
        },
        {"masterCategory": [0, 1], "subCategory": [1, 0], "articleType": [1, 0]},
        quality,
        embedding=np.float32([[1, 2], [3, 4]]),
    )
    return replace(
        found.place(("a.jpg", "b.jpg", "c.jpg"), (None, PhotoError(Reason.EMPTY), None)),
        extra=({"sku": "1"}, {"sku": "2"}, {"sku": "3"}),
    )


def same(first, second):
    """Return whether predictions are the same, NaN included."""
    return first.to_dicts(2) == second.to_dicts(2) and all(
        np.array_equal(first.probabilities[column], second.probabilities[column], equal_nan=True)
        and np.array_equal(first.label_indices[column], second.label_indices[column])
        for column in first.columns
    )


def test_the_answer_ends_above_the_first_level_under_its_threshold():
    found = found_by(
        card_with(0.5, 0.6, 0.7),
        (0.9, 0.9, 0.9),
        (0.9, 0.9, 0.1),
        (0.9, 0.1, 0.9),
        (0.1, 0.9, 0.9),
        (0.5, 0.6, 0.7),
    )
    assert found.confident_depth.tolist() == [3, 2, 1, 0, 3]
    assert found.answers == [path[:depth] for path, depth in zip(found.paths, [3, 2, 1, 0, 3], strict=True)]
    assert found.answer_levels == ["articleType", "subCategory", "masterCategory", None, "articleType"]


def test_without_thresholds_and_target_every_level_is_confident():
    assert found_by(PLAIN, (0.1, 0.1, 0.1)).confident_depth.tolist() == [3]


def test_a_level_that_never_reached_the_target_is_never_confident():
    assert found_by(card_with(0.5, None, 0.5, target_accuracy=0.98), (1, 1, 1)).confident_depth.tolist() == [
        1
    ]


def test_no_photos_and_no_levels():
    assert found_by(card_with(0.5, 0.5, 0.5)).answers == []
    colour = build_card(heads={"baseColour": ("Red", "Blue")})
    found = predictions_of(colour, {"baseColour": np.eye(2)})
    assert (found.answers, found.answer_levels, found.paths) == ([(), ()], [None, None], [(), ()])
    assert category_levels(colour) == ()


@pytest.mark.parametrize(("score", "flagged"), [(3.0, False), (3.5, False), (3.6, True)])
def test_what_is_over_the_threshold_of_the_detector_is_no_product(score, flagged):
    card = replace(PLAIN, ood_detector=OodDetectorCard("not_a_product", 3.5, "energy"))
    logits = {level: np.zeros((1, 2), np.float32) for level in LEVELS}
    found = PredictionBuilder(card).build({**logits, "not_a_product": np.float32([[score]])})
    assert found.flags == [(Flag.NOT_A_PRODUCT,) if flagged else ()]
    assert found.ood_score.tolist() == [np.float32(score)]


def test_a_model_without_a_detector_still_says_what_is_wrong_with_a_photo():
    quality = np.array([[False] * 4, [flag in {Flag.TOO_SMALL, Flag.BLURRED} for flag in QUALITY_FLAGS]])
    logits = {level: np.zeros((2, 2), np.float32) for level in LEVELS}
    found = PredictionBuilder(PLAIN).build(logits, quality)
    assert found.flags == [(), (Flag.TOO_SMALL, Flag.BLURRED)]


def test_a_photo_without_labels_keeps_its_place(mixed):
    assert mixed.is_labelled.tolist() == [True, False, True]
    assert mixed.labels("masterCategory") == ["Apparel", None, "Footwear"]
    assert mixed.label_indices["masterCategory"].tolist() == [0, NO_LABEL, 1]
    np.testing.assert_array_equal(mixed.confidence("articleType"), np.float32([0.7, np.nan, 0.7]))
    assert mixed.answers == [("Apparel", "Topwear", "Tshirts"), (), ("Footwear", "Shoes", "Heels")]
    assert mixed.flags == [(Flag.BLURRED,), (), ()]
    np.testing.assert_array_equal(mixed.embedding, np.float32([[1, 2], [np.nan, np.nan], [3, 4]]))
    first, second, _ = mixed
    assert isinstance(first, Prediction)
    assert first["articleType"] == Label("Tshirts", pytest.approx(0.7))
    assert (first.path, first.answer, first.answer_level) == (first.answer, mixed.answers[0], "articleType")
    assert second == Failure("b.jpg", Reason.EMPTY, "the file is empty")


def test_candidates_start_with_the_chosen_one(mixed):
    indices, values = mixed.top_k("masterCategory", 9)
    assert indices.tolist() == [[0, 1], [NO_LABEL, NO_LABEL], [1, 0]]
    np.testing.assert_array_equal(values, np.float32([[0.9, 0.1], [np.nan, np.nan], [0.8, 0.2]]))
    with pytest.raises(UsageError, match="top_k is at least 1, not 0"):
        mixed.top_k("masterCategory", 0)


def test_some_photos_of_them(mixed):
    assert mixed[-1].photo == "c.jpg"
    assert (
        mixed[1:].names
        == mixed[[1, 2]].names
        == mixed[np.array([False, True, True])].names
        == ("b.jpg", "c.jpg")
    )
    assert mixed[2:].extra == ({"sku": "3"},)
    assert mixed[mixed.is_labelled].reasons == (None, None)
    assert len(mixed[5:]) == 0
    with pytest.raises(IndexError):
        mixed[3]


@given(cuts=st.lists(st.integers(0, 12), max_size=4))
def test_what_is_cut_anywhere_is_the_same_when_it_is_joined(cuts):
    random = np.random.default_rng(1)
    logits = {level: random.normal(size=(9, 2)).astype(np.float32) for level in LEVELS}
    errors = [PhotoError(Reason.EMPTY) if number in {2, 3, 11} else None for number in range(12)]
    whole = PredictionBuilder(PLAIN).build(logits).place([f"{number}.jpg" for number in range(12)], errors)
    ends = [0, *sorted(cuts), 12]
    parts = [whole[start:end] for start, end in pairwise(ends)]
    assert same(Predictions.concat(parts), whole)


def test_predictions_of_different_models_are_not_joined(mixed):
    other = predictions_of(build_card(heads={"season": ("Summer",)}), {"season": np.ones((1, 1))})
    with pytest.raises(UsageError, match="different models"):
        Predictions.concat([mixed, other])
    with pytest.raises(UsageError, match="no predictions"):
        Predictions.concat([])


def test_rows_are_those_of_a_table_of_labels(mixed):
    first, second, third = mixed.to_dicts(top_k=2)
    assert list(first)[:6] == [
        "sku",
        "path",
        "status",
        "reason",
        "masterCategory",
        "masterCategory_confidence",
    ]
    assert list(first)[-3:] == ["answer", "answer_level", "flags"]
    assert (first["status"], first["answer"], first["flags"]) == (
        "labelled",
        "Apparel › Topwear › Tshirts",
        ["blurred"],
    )
    assert first["masterCategory_top"] == [
        {"label": "Apparel", "confidence": pytest.approx(0.9)},
        {"label": "Footwear", "confidence": pytest.approx(0.1)},
    ]
    assert {name for name, value in second.items() if value is not None} == {
        "sku",
        "path",
        "status",
        "reason",
    }
    assert (second["status"], second["reason"]) == ("failed", "empty")
    assert (third["sku"], third["flags"]) == ("3", [])


def test_a_table_library_that_is_not_installed_is_named(mixed, monkeypatch):
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(UsageError, match=f"pip install {name}"):
            getattr(mixed, f"to_{name}")()


def test_it_says_what_it_holds(mixed):
    text = repr(mixed)
    assert text.startswith(
        "<Predictions of 3 photos by fake: 2 labelled>\n  a.jpg: Apparel 90%, Topwear 90%, Tshirts 70%"
    )
    assert "b.jpg: the file is empty" in text
    many = mixed[[0] * 30]
    assert repr(many).endswith("and 20 more")


def test_a_notebook_shows_photos_with_labels_and_no_markup_of_a_name():
    card = build_card(heads={"baseColour": ("<b>Red", "Blue")})
    photos = (NamedPhoto("a", encode(paint("Red", (400, 300)))), NamedPhoto("b", b"broken"))
    found = replace(
        predictions_of(card, {"baseColour": [[0.9, 0.1]]}).place(
            ("<script>.jpg", "b"), (None, PhotoError(Reason.CORRUPT, "bad & cut"))
        ),
        photos=photos,
    )
    page = found._repr_html_()
    assert "&lt;script&gt;.jpg" in page
    assert "&lt;b&gt;Red 90%" in page
    assert "corrupt: bad &amp; cut" in page
    assert "<script>" not in page
    assert page.count("<img") == 1
    assert len(found[[0] * 25]._repr_html_()) < 200_000
    assert "and 5 more photos" in found[[0] * 25]._repr_html_()
