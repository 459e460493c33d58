import pytest

from hangtag.domain.errors import ConflictError, InvalidFieldsError, NotStoredError
from hangtag.store.decisions import Decision
from hangtag.store.index import Filter
from hangtag.store.log import list_decisions

PHOTOS = {f"{colour}{mark}.png": (colour, mark) for colour in ("Red", "Green", "Blue") for mark in range(2)}


@pytest.fixture
def batch(shop):
    return shop.make(PHOTOS)


def ids(products):
    return tuple(int(product["id"]) for product in products)


def colours(products):
    return [product["label"]["baseColour"]["value"] for product in products]


def decide(shop, batch, who="ann", **decision):
    return shop.decisions.decide(batch, Decision(**decision), who)


def test_many_products_are_set_at_once_and_undone_at_once(shop, batch):
    red = Filter(attributes={"baseColour": "Red"})
    done = decide(shop, batch, matching=red, set={"baseColour": "Blue"})
    assert done["changed"] == 2
    assert colours(done["products"]) == ["Blue", "Blue"]
    assert shop.batches.get(batch)["counts"]["corrected"] == 2
    assert shop.products.count(batch, Filter())["attributes"]["baseColour"] == {"Blue": 4, "Green": 2}
    undone = shop.decisions.undo(batch, "ann")
    assert undone["changed"] == 2
    assert colours(undone["products"]) == ["Red", "Red"]
    assert shop.batches.get(batch)["counts"]["to_check"] == 6
    assert colours(shop.decisions.redo(batch, "ann")["products"]) == ["Blue", "Blue"]


def test_a_category_takes_its_path_along(shop, batch):
    product = shop.list(batch)[0]
    done = decide(shop, batch, products=ids([product]), set={"articleType": "Watches"})
    assert done["products"][0]["path"] == ["Accessories", "Watches"]
    with pytest.raises(InvalidFieldsError, match="is not a class"):
        decide(shop, batch, products=ids([product]), set={"articleType": "Hats"})
    with pytest.raises(InvalidFieldsError, match="no such column"):
        decide(shop, batch, products=ids([product]), set={"collar": "V"})


def test_confirming_counts_and_is_kept(shop, batch):
    done = decide(shop, batch, products=ids(shop.list(batch)[:2]), confirm=True)
    assert [product["state"] for product in done["products"]] == ["checked", "checked"]
    label = done["products"][0]["label"]["baseColour"]
    assert (label["state"], label["by"], label["value"]) == ("confirmed", "ann", "Red")
    assert shop.batches.get(batch)["counts"]["checked"] == 2


def test_confirming_what_was_in_doubt_is_enough(shop):
    batch = shop.make({"1_front.png": "Red", "1_back.png": ("Blue", 3)})
    product = shop.list(batch)[0]
    doubted = product["needs"]["attribute"]
    first = decide(shop, batch, products=ids([product]), confirm=(doubted,))["products"][0]
    assert first["label"][doubted]["state"] == "confirmed"
    assert first["state"] == ("checked" if first["needs"] is None else "to_check")


def test_the_labels_of_the_model_can_be_had_back(shop, batch):
    product = ids(shop.list(batch)[:1])
    decide(shop, batch, products=product, set={"baseColour": "Blue"})
    done = decide(shop, batch, products=product, set={"baseColour": None})
    assert colours(done["products"]) == ["Red"]
    assert done["products"][0]["state"] == "to_check"


def test_a_person_overrules_that_it_is_no_product(shop, batch):
    product = ids(shop.list(batch)[:1])
    done = decide(shop, batch, products=product, overrule=True)
    assert done["products"][0]["not_a_product"] == {"by_model": False, "decided": True}
    assert done["products"][0]["state"] == "corrected"
    assert shop.batches.get(batch)["counts"]["not_a_product"] == 1
    assert decide(shop, batch, products=product, overrule=None)["products"][0]["state"] == "to_check"


def test_who_gives_a_category_says_that_it_is_a_product(shop, batch):
    product = ids(shop.list(batch)[:1])
    decide(shop, batch, products=product, overrule=True)
    coloured = decide(shop, batch, products=product, set={"baseColour": "Blue"})["products"][0]
    assert coloured["not_a_product"]["decided"] is True
    done = decide(shop, batch, products=product, set={"articleType": "Watches"})["products"][0]
    assert done["not_a_product"]["decided"] is False
    undone = shop.decisions.undo(batch, "ann")["products"][0]
    assert undone["not_a_product"]["decided"] is True


def test_flags_people_and_removal(shop, batch):
    products = ids(shop.list(batch)[:2])
    decide(shop, batch, products=products, flags={"retake": True}, assign_to="bob")
    assert len(shop.list(batch, flag="retake")) == 2
    assert len(shop.list(batch, who="bob")) == 2
    assert decide(shop, batch, products=products, delete=True)["products"] == []
    assert len(shop.list(batch)) == 4
    assert shop.decisions.undo(batch, "ann")["changed"] == 2
    assert len(shop.list(batch)) == 6


def test_products_move_to_another_batch_and_back(shop, batch):
    other = shop.make({"x.png": ("Blue", 9)})
    moved = ids(shop.list(batch)[:2])
    decide(shop, batch, products=moved, set={"baseColour": "Green"})
    decide(shop, batch, products=moved, move_to=other)
    assert len(shop.list(batch)) == 4
    assert colours(shop.list(other)) == ["Green", "Green", "Blue"] or len(shop.list(other)) == 3
    shop.decisions.undo(batch, "ann")
    assert len(shop.list(batch)) == 6
    assert len(shop.list(other)) == 1
    assert colours(shop.list(batch))[:2] == ["Green", "Green"]
    with pytest.raises(NotStoredError):
        decide(shop, batch, products=moved, move_to="nowhere")


def test_what_another_person_decided_meanwhile_is_a_conflict(shop, batch):
    seen = shop.list(batch)[0]
    number = int(seen["id"])
    decide(shop, batch, who="bob", products=(number,), set={"baseColour": "Green"})
    done = decide(
        shop, batch, products=(number,), set={"baseColour": "Blue"}, versions={number: seen["version"]}
    )
    assert done["changed"] == 0
    assert done["conflicts"] == [{"product": str(number), "by": "bob", "value": "Green"}]
    assert colours(shop.list(batch))[0] == "Green"
    now = shop.list(batch)[0]
    done = decide(
        shop, batch, products=(number,), set={"baseColour": "Blue"}, versions={number: now["version"]}
    )
    assert done["changed"] == 1


@pytest.mark.costly
def test_each_person_undoes_their_own_and_never_anothers(shop, batch):
    first, second = ids(shop.list(batch)[:2])
    decide(shop, batch, who="ann", products=(first, second), set={"baseColour": "Blue"})
    decide(shop, batch, who="bob", products=(second,), set={"baseColour": "Green"})
    undone = shop.decisions.undo(batch, "ann")
    assert undone["changed"] == 1
    assert undone["conflicts"] == [{"product": str(second), "by": "bob", "value": "Green"}]
    assert colours(shop.list(batch))[:2] == ["Red", "Green"]
    with pytest.raises(ConflictError, match="nothing to undo"):
        shop.decisions.undo(batch, "ann")


def test_undo_goes_back_step_by_step_and_a_new_decision_ends_redo(shop, batch):
    number = ids(shop.list(batch)[:1])
    for colour in ("Green", "Blue"):
        decide(shop, batch, products=number, set={"baseColour": colour})
    steps = [colours(shop.decisions.undo(batch, "ann")["products"]) for _ in range(2)]
    assert steps == [["Green"], ["Red"]]
    assert colours(shop.decisions.redo(batch, "ann")["products"]) == ["Green"]
    decide(shop, batch, products=number, flags={"odd": True})
    with pytest.raises(ConflictError, match="nothing to redo"):
        shop.decisions.redo(batch, "ann")


def test_the_log_is_only_appended_to(shop, batch):
    number = ids(shop.list(batch)[:1])
    decide(shop, batch, products=number, set={"baseColour": "Blue"})
    shop.decisions.undo(batch, "ann")
    entries, total = list_decisions(shop.store, batch, number[0], (0, 10))
    assert total == 2
    assert [(entry["kind"], entry["who"]) for entry in entries] == [("undo", "ann"), ("set", "ann")]
    assert entries[1]["before"]["attributes"]["baseColour"]["value"] == "Red"
    assert entries[1]["after"]["attributes"]["baseColour"]["value"] == "Blue"
    assert entries[0]["target"] == entries[1]["id"]


def test_a_repeated_decision_is_taken_once(shop, batch):
    decision = Decision(products=ids(shop.list(batch)[:1]), set={"baseColour": "Blue"})
    first = shop.decisions.decide(batch, decision, "ann", key="k")
    again = shop.decisions.decide(batch, decision, "ann", key="k")
    assert again["decision"] == first["decision"]
    assert list_decisions(shop.store, batch, None, (0, 10))[1] == 1


def test_products_are_merged_and_split_and_both_undone(shop, batch):
    first, second = ids(shop.list(batch)[:2])
    merged = shop.decisions.merge(batch, [first, second], "ann")
    assert [len(product["photos"]) for product in merged["products"]] == [2]
    assert len(shop.list(batch)) == 5
    photos = [int(photo["id"]) for photo in merged["products"][0]["photos"]]
    split = shop.decisions.split(batch, first, photos[1:], "ann")
    assert [len(product["photos"]) for product in split["products"]] == [1, 1]
    assert len(shop.list(batch)) == 6
    shop.decisions.undo(batch, "ann")
    assert len(shop.list(batch)) == 5
    shop.decisions.undo(batch, "ann")
    assert len(shop.list(batch)) == 6
    with pytest.raises(InvalidFieldsError):
        shop.decisions.split(batch, first, [], "ann")


def test_what_was_merged_by_hand_stays_when_photos_are_grouped_again(shop, batch):
    first, second = ids(shop.list(batch)[:2])
    shop.decisions.merge(batch, [first, second], "ann")
    shop.add(batch, {"new.png": ("Red", 7)})
    assert sorted(len(product["photos"]) for product in shop.list(batch)) == [1, 1, 1, 1, 1, 2]


def test_comments_and_views(shop, batch):
    number = ids(shop.list(batch)[:1])[0]
    shop.notes.add_comment(batch, number, "bob", "Is this navy?")
    found = shop.notes.add_comment(batch, number, "ann", "It is.")
    assert [(comment["who"], comment["text"]) for comment in found] == [
        ("bob", "Is this navy?"),
        ("ann", "It is."),
    ]
    assert shop.list(batch)[0]["comments"] == 2
    shop.notes.set_views(batch, [("Mine", "who=ann")])
    shop.notes.set_views(None, [("Doubtful", "needs=any")])
    assert shop.notes.views(batch) == [{"name": "Mine", "query": "who=ann"}]
    assert shop.notes.views(None) == [{"name": "Doubtful", "query": "needs=any"}]


def test_a_pasted_column_is_one_decision_and_one_undo(shop, batch):
    first, second, third, *_ = [int(product["id"]) for product in shop.list(batch)]
    before = colours(shop.list(batch))
    each = {first: {"baseColour": "Green"}, second: {"articleType": "Watches"}, third: {"baseColour": "Blue"}}
    decided = decide(shop, batch, each=each)
    assert decided["changed"] == 3
    after = {int(product["id"]): product for product in shop.list(batch)}
    assert after[first]["label"]["baseColour"]["value"] == "Green"
    assert after[second]["path"] == ["Accessories", "Watches"]
    assert after[third]["label"]["baseColour"]["value"] == "Blue"
    assert shop.decisions.undo(batch, "ann")["changed"] == 3
    assert colours(shop.list(batch)) == before


@pytest.mark.costly
def test_all_that_match_except_some(shop, batch):
    first, *others = [int(product["id"]) for product in shop.list(batch)]
    done = decide(shop, batch, matching=Filter(), excluded=(first,), flags={"retake": True})
    assert done["changed"] == len(others)
    assert [int(product["id"]) for product in shop.list(batch, flag="retake")] == others
