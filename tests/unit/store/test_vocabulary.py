import pytest

from hangtag.domain.errors import InvalidFieldsError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.store.vocabulary import Vocabulary
from tiny_bundle import build_tiny_card

LEVELS = ("masterCategory", "subCategory", "articleType")
WHOLE = Vocabulary(
    {
        "masterCategory": ("Apparel", "Footwear", "Accessories"),
        "subCategory": ("Topwear", "Bottomwear", "Socks", "Shoes", "Watches"),
        "articleType": ("Tshirts", "Jeans", "Socks", "Shoes", "Watches"),
        "gender": ("Men", "Women"),
    },
    build_tiny_card().taxonomy,
)
TSHIRT = dict(zip(LEVELS, ("Apparel", "Topwear", "Tshirts"), strict=True)) | {"gender": "Men"}


def path(*labels):
    return dict(zip(LEVELS, labels, strict=True))


def test_an_attribute_stands_alone():
    assert WHOLE.complete({"gender": "Women"}, TSHIRT) == {"gender": "Women"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"articleType": "Jeans"}, path("Apparel", "Bottomwear", "Jeans")),
        ({"articleType": "Shoes"}, path("Footwear", "Shoes", "Shoes")),
        ({"articleType": "Socks"}, path("Apparel", "Socks", "Socks")),
        ({"articleType": "Socks", "masterCategory": "Footwear"}, path("Footwear", "Socks", "Socks")),
        ({"masterCategory": "Accessories"}, path("Accessories", "Watches", "Watches")),
        ({"articleType": "Tshirts"}, path("Apparel", "Topwear", "Tshirts")),
    ],
)
def test_a_category_label_takes_its_path_along(said, expected):
    assert WHOLE.complete(said, TSHIRT) == expected


def test_a_choice_between_paths_is_left_to_the_person():
    watch = path("Accessories", "Watches", "Watches")
    with pytest.raises(InvalidFieldsError, match="Apparel › Socks › Socks, Footwear › Socks › Socks"):
        WHOLE.complete({"articleType": "Socks"}, watch)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"articleType": "Hats"}, "articleType: 'Hats' is not a class of articleType"),
        ({"colour": "Red"}, "colour: the model has no such column"),
        (
            {"masterCategory": "Footwear", "articleType": "Jeans"},
            "Footwear › Jeans is not part of a category path",
        ),
    ],
)
def test_what_cannot_be_is_refused(said, problem):
    with pytest.raises(InvalidFieldsError, match=problem):
        WHOLE.complete(said, TSHIRT)


def test_a_model_without_a_middle_level_keeps_its_paths_too():
    tiny = Vocabulary.from_card(build_tiny_card())
    assert tiny.complete({"articleType": "Jeans"}, {}) == {
        "masterCategory": "Apparel",
        "articleType": "Jeans",
    }
    assert tiny.leaf == "articleType"


def test_a_model_without_a_taxonomy_has_labels_only():
    flat = Vocabulary({"season": ("Summer", "Fall"), "articleType": ("A", "B")}, Taxonomy((), ()))
    assert flat.complete({"articleType": "B"}, {"articleType": "A"}) == {"articleType": "B"}


def test_it_comes_back_from_json():
    assert Vocabulary.from_json(WHOLE.to_json()) == WHOLE
