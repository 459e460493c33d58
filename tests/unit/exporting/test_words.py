"""Display names, synonyms, colour families and titles."""

import json
from importlib.resources import files

import pytest

from hangtag.bundle.file import find_bundle, read_card
from hangtag.domain.errors import UsageError
from hangtag.exporting.words import LANGUAGES, capitalise, colour_family, load_words, shopify_colour

LABELS = {"articleType": "Shirts", "baseColour": "Navy Blue", "gender": "Women", "usage": "Casual"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_of_the_shipped_model_has_a_name(language):
    words = load_words(language)
    for head in read_card(find_bundle("default")).heads:
        assert set(words.names[head.column]) == set(head.classes), head.column
        assert head.column in words.columns
        assert all(one and several for one, several in words.names[head.column].values())


def test_british_and_american_english_differ():
    assert load_words("en-GB").name("articleType", "Sweaters") == "jumper"
    assert load_words("en-US").name("articleType", "Sweaters", plural=True) == "sweaters"
    assert load_words("en").language == "en-GB"


def test_a_language_without_words_is_refused():
    with pytest.raises(UsageError, match="not supported: nl"):
        load_words("nl")


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en-GB", "Navy women's casual shirt"),
        ("de", "Hemd für Damen in Marineblau"),
        ("fr", "Chemise femme, bleu marine"),
        ("es", "Camisa de mujer, azul marino"),
    ],
)
def test_titles_are_made_of_what_is_known(language, title):
    assert load_words(language).suggest_title(LABELS) == title


@pytest.mark.parametrize(
    ("language", "labels", "title"),
    [
        ("en-GB", {"articleType": "Tshirts"}, "T-shirt"),
        ("de", {"articleType": "Tshirts"}, "T-Shirt"),
        ("de", {"articleType": "Tshirts", "gender": "Men"}, "T-Shirt für Herren"),
        ("de", {"articleType": "Tshirts", "baseColour": "Red"}, "T-Shirt in Rot"),
        ("fr", {"articleType": "Tshirts"}, "T-shirt"),
        ("en-GB", {"articleType": "Casual Shoes", "usage": "Casual"}, "Casual shoes"),
        ("en-GB", {"baseColour": "Red"}, ""),
    ],
)
def test_titles_leave_no_loose_words(language, labels, title):
    assert load_words(language).suggest_title(labels) == title


def test_a_shop_has_synonyms_of_its_own():
    words = load_words("en-GB").with_synonyms({"articleType": {"Tshirts": "tee|tees", "Jeans": "denim"}})
    assert words.name("articleType", "Tshirts") == "tee"
    assert words.name("articleType", "Tshirts", plural=True) == "tees"
    assert words.name("articleType", "Jeans", plural=True) == "denim"
    assert load_words("en-GB").name("articleType", "Tshirts") == "T-shirt"


def test_what_has_no_name_keeps_its_own():
    assert load_words("de").name("material", "Cotton") == "Cotton"
    assert capitalise("off-white") == "Off-white"


def test_every_colour_has_a_family_of_the_twelve_and_a_colour_of_shopify():
    colours = read_card(find_bundle("default")).head("baseColour").classes
    families = {colour_family(colour) for colour in colours}
    assert len(families) == 13  # the twelve, and Multicolour for what has several
    assert families <= set(load_words("en-GB").names["family"])
    assert {shopify_colour(colour) for colour in colours} <= {
        "beige", "black", "blue", "bronze", "brown", "clear", "gold", "gray", "green", "multicolor", "navy", "orange",
        "pink", "purple", "red", "rose-gold", "silver", "white", "yellow",
    }  # fmt: skip
    assert colour_family("Tartan") is None


def test_american_words_hold_only_what_differs():
    folder = files("hangtag.exporting").joinpath("words")
    british = json.loads(folder.joinpath("en-GB.json").read_text("utf-8"))
    american = json.loads(folder.joinpath("en-US.json").read_text("utf-8"))
    for column, names in american.items():
        if isinstance(names, dict):
            assert not [label for label, name in names.items() if british[column][label] == name]
