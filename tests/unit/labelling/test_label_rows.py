from dataclasses import replace

import numpy as np
import pytest

from fakes import build_card, build_path_card, predictions_of
from hangtag.domain.columns import LABEL_COLUMNS
from hangtag.domain.errors import PhotoError
from hangtag.domain.prediction import Flag
from hangtag.domain.reasons import Reason
from hangtag.imaging.visibility import QUALITY_FLAGS
from hangtag.labelling.outputs import Layout, build_rows
from hangtag.tables.cells import Kind

CARD = build_card(heads={"masterCategory": ("Apparel", "Footwear"), "fabric": ("cotton", "wool", "silk")})
QUALITY = np.array([[False] * len(QUALITY_FLAGS), [flag is Flag.BLURRED for flag in QUALITY_FLAGS]])
BATCH = predictions_of(
    CARD,
    {"masterCategory": [[0.9, 0.1], [0.4, 0.6]], "fabric": [[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]},
    {"masterCategory": [0, 0]},  # not always the most probable one: the category path decides
    QUALITY,
).place(("a.jpg", "b.jpg", "c.jpg"), (None, PhotoError(Reason.EMPTY), None))


def test_a_row_for_every_photo_with_its_answer_or_its_reason():
    cards = {"fake": CARD}
    rows = build_rows([BATCH], Layout.for_models(cards))
    assert rows["path"] == ["a.jpg", "b.jpg", "c.jpg"]
    assert rows["status"] == ["labelled", "failed", "labelled"]
    assert rows["reason"] == [None, "empty", None]
    assert rows["masterCategory"] == ["Apparel", None, "Apparel"]
    assert rows["masterCategory_confidence"] == [pytest.approx(0.9), None, pytest.approx(0.4)]
    assert rows["fabric"] == ["wool", None, "silk"]


def test_columns_stand_in_the_order_of_the_catalogue_and_others_follow():
    kinds = Layout.for_models({"fake": CARD}).kinds
    expected = [name for column in (*LABEL_COLUMNS, "fabric") for name in (column, f"{column}_confidence")]
    assert list(kinds) == ["path", "status", "reason", *expected, "answer", "answer_level", "flags"]
    assert kinds["flags"] is Kind.NAMES
    assert kinds["season"] is Kind.TEXT
    assert kinds["season_confidence"] is Kind.CONFIDENCE


def test_heads_that_a_model_lacks_stay_empty():
    cards = {"fake": CARD}
    rows = build_rows([BATCH], Layout.for_models(cards, top_k=3))
    for name in ("season", "season_confidence", "season_top"):
        assert rows[name] == [None, None, None]


def test_candidates_start_with_the_chosen_one():
    cards = {"fake": CARD}
    rows = build_rows([BATCH], Layout.for_models(cards, top_k=2))
    assert [name for name, _ in rows["masterCategory_top"][2]] == ["Apparel", "Footwear"]
    first, second = rows["fabric_top"][2]
    assert first == ("silk", pytest.approx(0.7))
    assert second == ("wool", pytest.approx(0.2))
    assert rows["fabric_top"][1] is None


def test_models_stand_side_by_side_for_each_photo():
    cards = {"one": CARD, "two": build_card(heads={"season": ("Summer",)})}
    errors = (None, PhotoError(Reason.EMPTY), None)
    season = predictions_of(cards["two"], {"season": np.ones((2, 1))}).place(BATCH.names, errors)
    rows = build_rows([BATCH, season], Layout.for_models(cards))
    assert rows["path"] == ["a.jpg", "a.jpg", "b.jpg", "b.jpg", "c.jpg", "c.jpg"]
    assert rows["model"] == ["one", "two"] * 3
    assert rows["reason"] == [None, None, "empty", "empty", None, None]
    assert rows["season"] == [None, "Summer", None, None, None, "Summer"]
    assert rows["fabric"] == ["wool", None, None, None, "silk", None]
    assert rows["answer_level"] == ["masterCategory", None, None, None, "masterCategory", None]


def test_the_answer_ends_where_the_model_is_no_longer_sure():
    card = build_path_card([("Apparel", "Topwear", "Tshirts"), ("Footwear", "Shoes", "Heels")])
    heads = [replace(head, threshold=0.5) for head in card.heads]
    card = replace(card, heads=heads, target_accuracy=0.98)
    certain = np.float32([[0.1, 0.9]] * 3)
    found = predictions_of(
        card,
        {
            "masterCategory": [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]],
            "subCategory": certain,
            "articleType": [[0.1, 0.9], [0.8, 0.2], [0.1, 0.9]],
        },
        {"masterCategory": [0] * 3, "subCategory": [1] * 3, "articleType": [1] * 3},
    )
    rows = build_rows([found], Layout.for_models({"fake": card}))
    assert rows["answer"] == ["Apparel › Topwear › Tshirts", "Apparel › Topwear", None]
    assert rows["answer_level"] == ["articleType", "subCategory", None]
    assert rows["articleType"] == ["Tshirts"] * 3


def test_flags_are_none_where_there_is_no_label_and_empty_where_nothing_is_wrong():
    cards = {"fake": CARD}
    rows = build_rows([BATCH], Layout.for_models(cards))
    assert rows["flags"] == [(), None, (Flag.BLURRED,)]
    assert rows["answer"] == ["Apparel", None, "Apparel"]
