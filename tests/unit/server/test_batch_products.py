"""What exports take for doubtful in the products of a batch."""

import pytest

from hangtag.server.batch_exports import read_product


def build(depth=1, state="to_check", **changes):
    """Return a product as the store describes it; nobody is sure of its type and its colour."""

    def entry(value, **changes):
        return {
            "value": value,
            "confidence": 0.5,
            "confident": False,
            "state": "predicted",
            "candidates": [],
        } | changes

    shades = [{"value": "Navy Blue", "confidence": 0.5}, {"value": "Blue", "confidence": 0.4}]
    return {
        "id": "7",
        "key": "A1",
        "name": "polo",
        "row": {"Size": "XL", "EAN": "0012345678905", "Note": None},
        "photos": [{"name": "front.jpg"}],
        "label": {
            "masterCategory": entry("Apparel", confident=True),
            "articleType": entry("Tshirts"),
            "baseColour": entry("Navy Blue", candidates=shades),
        },
        "confident_depth": depth,
        "state": state,
        "not_a_product": {"by_model": False, "decided": None},
    } | changes


def test_doubts_of_a_product_that_nobody_checked():
    """The levels below the sure ones and unsure attributes are doubtful; the colour's family may be sure."""
    product = read_product(build())
    assert product.doubts.keys() == {"articleType", "baseColour"}
    assert product.family == "Blue"
    assert (product.key, product.photos, product.labels["articleType"]) == ("A1", ["front.jpg"], "Tshirts")
    assert product.sheet == {"size": "XL", "ean": "0012345678905"}


def test_a_level_that_a_person_set_is_sure():
    """Only what the model said is in doubt."""
    values = build()
    values["label"]["articleType"] |= {"state": "corrected", "confident": True}
    assert read_product(values).doubts.keys() == {"baseColour"}


@pytest.mark.parametrize("state", ["checked", "corrected"])
def test_who_checked_a_product_is_sure(state):
    """Nothing of it is in doubt."""
    assert not read_product(build(state=state)).doubts


@pytest.mark.parametrize(
    ("by_model", "decided", "is_doubtful"),
    [(True, None, True), (True, False, False), (False, True, True), (False, None, False)],
)
def test_no_products(by_model, decided, is_doubtful):
    """What a person decided counts more than what the model says."""
    product = read_product(build(state="checked", not_a_product={"by_model": by_model, "decided": decided}))
    assert ("*" in product.doubts) == is_doubtful


def test_a_product_without_labels():
    """It has nothing to be exported."""
    assert read_product(build(label={})).doubts.keys() == {"*"}
    assert read_product(build(key=None)).key == "polo"
