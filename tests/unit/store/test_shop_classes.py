import pytest

from hangtag.domain.errors import InvalidFieldsError, NotStoredError
from hangtag.store.decisions import Decision
from hangtag.store.shop_classes import ClassInUseError, NewClass, ShopClasses
from hangtag.store.vocabulary import Vocabulary
from store_shop import CARD

KNOWN = Vocabulary.from_card(CARD)


def test_own_classes_can_be_said_at_once_and_are_counted_filtered_and_kept(shop):
    own = ShopClasses(shop.store)
    batch = shop.make({"a.png": "Red", "b.png": "Green"})
    number = int(shop.list(batch)[0]["id"])
    own.add(NewClass("Cardigan", path=("Apparel",)), KNOWN, "ann")
    own.add(NewClass("Mauve", attribute="baseColour"), KNOWN, "ann")
    own.add(NewClass(attribute="sleeve", values=("short", "long")), KNOWN, "ann")
    said = {"articleType": "Cardigan", "baseColour": "Mauve", "sleeve": "long"}
    shop.decisions.decide(batch, Decision(products=(number,), set=said), "ann")
    label = shop.products.get(batch, number)["label"]
    assert {name: entry["value"] for name, entry in label.items()} == said | {"masterCategory": "Apparel"}
    assert [product["id"] for product in shop.list(batch, attributes={"sleeve": "long"})] == [str(number)]
    described = own.describe(KNOWN)
    assert ["Apparel", "Cardigan"] in described["paths"]
    assert described["version"] == 3
    entry = {"attribute": "articleType", "name": "Cardigan", "path": ["Apparel", "Cardigan"]}
    assert described["own"][0] == entry | {"products": 1, "learnt": False}
    with pytest.raises(ClassInUseError, match="1 products"):
        own.remove("articleType", "Cardigan")
    own.remove("sleeve", "short")
    assert described["columns"]["sleeve"] == ["short", "long"]
    assert own.describe(KNOWN)["columns"]["sleeve"] == ["long"]
    with pytest.raises(NotStoredError):
        own.remove("sleeve", "short")


def test_a_class_may_bring_a_new_parent_along(shop):
    own = ShopClasses(shop.store)
    own.add(NewClass("Kennel", path=("Pets",)), KNOWN, None)
    described = own.describe(KNOWN)
    assert "Pets" in described["columns"]["masterCategory"]
    assert [entry["path"] for entry in described["own"]] == [None, ["Pets", "Kennel"]]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewClass("tshirts", path=("Footwear",)), "it exists as Apparel › Tshirts"),
        (NewClass("Tshirts", path=("Apparel",)), "exists there already"),
        (
            NewClass("Parka", path=("Apparel", "Topwear")),
            "name the label of each level above it: masterCategory",
        ),
        (NewClass(" ", path=("Apparel",)), "1 to 100 printable characters"),
        (NewClass("red", attribute="baseColour"), "'red' exists already"),
        (NewClass("x", attribute="sku"), "give the attribute a name"),
        (NewClass("x", attribute="articleType"), "is a level"),
        (NewClass(attribute="fit", values=("slim", "Slim")), "none of them twice"),
    ],
)
def test_classes_that_cannot_be_are_refused(shop, new, message):
    own = ShopClasses(shop.store)
    with pytest.raises(InvalidFieldsError, match=message):
        own.add(new, KNOWN, None)
    assert own.describe(KNOWN)["own"] == []


def test_names_are_by_language_and_go_away_again(shop):
    own = ShopClasses(shop.store)
    own.set_name("baseColour", "Red", "de", "Rot")
    own.set_name("baseColour", None, "de", "Farbe")
    assert own.read_names("de") == {"baseColour": {"Red": "Rot", "": "Farbe"}}
    own.set_name("baseColour", "Red", "de", "")
    assert own.read_names("de") == {"baseColour": {"": "Farbe"}}
    assert own.read_names("en-GB") == {}
    with pytest.raises(InvalidFieldsError, match="no such language"):
        own.set_name("baseColour", "Red", "xx", "Rot")
