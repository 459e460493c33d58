"""Labels from a shop's own system: taken by SKU, and never against what a person said."""

import pytest

from hangtag.store.decisions import Decision
from hangtag.store.pushing import PushedLabels, push_labels


@pytest.fixture
def batch(shop):
    return shop.make(
        {"red.png": "Red", "green.png": "Green", "sheet.csv": b"sku,image\nR-1,red.png\nG-1,green.png\n"}
    )


def push(shop, batch, *items, once=None):
    """Push labels; return the outcomes, and the whole answer."""
    answer = push_labels(shop.store, batch, [PushedLabels(**item) for item in items], "ann", once)
    return [result["outcome"] for result in answer["results"]], answer


def test_products_are_found_by_sku_or_id(shop, batch):
    """Each item has its own outcome, and one undo takes all back."""
    products = {product["key"]: product for product in shop.list(batch)}
    outcomes, answer = push(
        shop,
        batch,
        {"key": "R-1", "labels": {"baseColour": "Blue"}},
        {"product": products["G-1"]["id"], "labels": {"articleType": "Watches"}},
        {"key": "R-1", "labels": {"baseColour": "Green"}},
        {"key": "nothing", "labels": {"baseColour": "Blue"}},
        {"key": "G-1", "labels": {"baseColour": "Pink"}},
    )
    assert outcomes == ["changed", "changed", "refused", "unknown", "refused"]
    assert answer["changed"] == 2
    assert answer["results"][2]["reason"] == "the product occurs twice"
    after = {product["key"]: product for product in shop.list(batch)}
    assert after["R-1"]["label"]["baseColour"]["value"] == "Blue"
    assert after["R-1"]["version"] == answer["results"][0]["version"]
    assert after["G-1"]["label"]["masterCategory"]["value"] == "Accessories"
    outcomes, answer = push(shop, batch, {"key": "G-1", "labels": {"baseColour": "Pink"}})
    assert (outcomes, answer["decision"]) == (["refused"], None)
    assert "Pink" in answer["results"][0]["reason"]


def test_what_a_person_said_stays(shop, batch):
    """Without a version always, with one if it is older; a version that has seen it may change it."""
    product = next(product for product in shop.list(batch) if product["key"] == "R-1")
    decision = Decision(products=(int(product["id"]),), set={"baseColour": "Green"})
    shop.decisions.decide(batch, decision, "ann")
    said = next(found for found in shop.list(batch) if found["key"] == "R-1")
    for version in (None, product["version"]):
        item = {"key": "R-1", "labels": {"baseColour": "Blue"}, "version": version}
        outcomes, answer = push(shop, batch, item)
        assert outcomes == ["conflict"]
        assert (answer["results"][0]["by"], answer["results"][0]["value"]) == ("ann", "Green")
    assert push(shop, batch, {"key": "R-1", "labels": {"articleType": "Watches"}})[0] == ["changed"]
    seen = {"key": "R-1", "labels": {"baseColour": "Blue"}, "version": said["version"]}
    assert push(shop, batch, seen)[0] == ["changed"]
    assert push(shop, batch, {"key": "R-1", "labels": {"baseColour": "Green"}})[0] == ["changed"]
    assert push(shop, batch, {"key": "R-1", "labels": {"baseColour": "Green"}})[0] == ["unchanged"]


def test_a_repeated_request_does_nothing_more(shop, batch):
    """The same key gets the same answer."""
    item = {"key": "R-1", "labels": {"baseColour": "Blue"}}
    first = push(shop, batch, item, once="k")
    assert push(shop, batch, item, once="k") == first
    assert push(shop, batch, item)[0] == ["unchanged"]
