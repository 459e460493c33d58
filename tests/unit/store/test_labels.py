"""Where a product stands, by what was predicted, suspected and decided."""

from hangtag.store.labels import find_standing

LEVELS = ("masterCategory", "articleType")
CONFIRMED = {"value": "Men", "state": "confirmed", "by": "ann", "at": "2026-01-05T10:00:00Z"}


def stands(said=None, flags=(), suspected="gender"):
    """Return what a person should look at, of a product whose article type is doubtful."""
    values = {"masterCategory": ["Apparel", 0.9], "articleType": ["Shirts", 0.4], "gender": ["Men", 0.9]}
    predicted = {
        "values": values, "depth": 1, "doubtful": ["articleType"], "split": [], "flags": list(flags)
    }  # fmt: skip
    product = {
        "predicted": predicted, "said": said or {}, "known": {"gender": "Men"}, "suspected": suspected,
        "checked": False, "overruled": None,
    }  # fmt: skip
    standing = find_standing(product, LEVELS, None)
    return standing.needs, standing.why


def test_an_attribute_that_a_check_suspects_comes_before_every_other_doubt():
    assert stands() == ("gender", "suspected")
    assert stands(flags=["not_a_product"]) == ("gender", "suspected")
    assert stands(suspected=None, flags=["not_a_product"]) == (None, "not_a_product")
    assert stands(suspected="a column that the model does not predict") == ("articleType", "unsure")


def test_a_suspected_attribute_that_a_person_has_set_is_settled():
    assert stands(said={"gender": CONFIRMED}) == ("articleType", "unsure")
