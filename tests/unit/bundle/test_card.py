import pytest

from hangtag.bundle.card import GoldenCheck, HeadCard
from hangtag.domain.errors import BundleError
from hangtag.domain.taxonomy import Taxonomy
from tiny_bundle import TINY_HEADS, build_tiny_card, build_tiny_graph


def test_a_card_knows_its_columns_and_heads():
    card = build_tiny_card()
    assert card.columns == ("masterCategory", "articleType", "gender")
    assert card.head("gender").classes == ("Men", "Women")
    with pytest.raises(KeyError):
        card.head("season")


def test_lists_become_tuples_so_that_equal_cards_are_equal():
    assert HeadCard("gender", ["Men", "Women"]) == HeadCard("gender", ("Men", "Women"))
    assert GoldenCheck("", {"gender": [1, 2]}) == GoldenCheck("", {"gender": (1, 2)})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"column": ""}, "no column name"),
        ({"classes": []}, "no classes"),
        ({"classes": ["Men", ""]}, "without a name"),
        ({"classes": ["Men", "Men"]}, "names a class twice"),
        ({"temperature": 0.0}, "temperature 0.0"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"temperature": float("inf")}, "temperature inf"),
        ({"threshold": 1.5}, "threshold 1.5"),
        ({"threshold": float("nan")}, "threshold nan"),
    ],
)
def test_a_head_that_cannot_be_is_refused(values, problem):
    with pytest.raises(BundleError, match=problem):
        HeadCard(**({"column": "gender", "classes": ["Men", "Women"]} | values))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "no name"),
        ({"created": "yesterday"}, "not an ISO date"),
        ({"heads": []}, "no heads"),
        ({"heads": [HeadCard("gender", ["Men"]), HeadCard("gender", ["Men"])]}, "names a head twice"),
        ({"golden_tolerance": 0.0}, "golden tolerance is 0.0"),
        ({"golden_tolerance": float("nan")}, "golden tolerance is nan"),
        ({"golden_tolerance": 2.0}, "golden tolerance is 2.0"),
        ({"format": 1}, "written in format 3, not 1"),
        ({"target_accuracy": 0}, "target accuracy is 0"),
        ({"target_accuracy": 1.5}, "target accuracy is 1.5"),
        ({"golden": [GoldenCheck("", {"gender": [1, 2]})]}, "golden answer has the sizes"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(changes, problem):
    with pytest.raises(BundleError, match=problem):
        build_tiny_card(**changes)


def test_the_taxonomy_may_not_hold_a_label_that_a_head_cannot_answer():
    taxonomy = Taxonomy(("masterCategory", "articleType"), (("Apparel", "Capes"),))
    with pytest.raises(
        BundleError, match=r"labels of articleType that the head cannot answer: Capes\. Build"
    ):
        build_tiny_card(taxonomy=taxonomy)


def test_levels_without_a_head_need_not_be_answered():
    assert build_tiny_card(classes={"gender": TINY_HEADS["gender"]}).taxonomy == Taxonomy((), ())
    taxonomy = Taxonomy(("masterCategory", "articleType"), (("Home", "Tshirts"),))
    assert build_tiny_card(classes={"articleType": ("Tshirts",)}, taxonomy=taxonomy).taxonomy == taxonomy


def test_a_golden_photo_is_base64():
    assert GoldenCheck.from_png(b"\x89PNG", {}).photo == b"\x89PNG"
    with pytest.raises(BundleError, match="not base64"):
        GoldenCheck("%%%", {})


def test_a_golden_answer_is_finite():
    with pytest.raises(BundleError, match="finite"):
        GoldenCheck("", {"gender": [float("nan"), 1.0]})


def test_the_tiny_card_holds_golden_answers_for_every_head():
    card = build_tiny_card(build_tiny_graph())
    assert [set(check.logits) for check in card.golden] == [set(TINY_HEADS)] * 2


def test_figures_are_found_by_their_keys_and_may_be_missing():
    card = build_tiny_card(metrics={"test": {"heads": {"gender": {"top1_accuracy": 0.9}}, "notes": ["many"]}})
    assert card.figure("test", "heads", "gender", "top1_accuracy") == 0.9
    assert card.figure("test", "heads", "season", "top1_accuracy") is None
    assert card.figure("test", "notes", "many") is None
    assert card.figure("test") is None
