import numpy as np
import pytest
from sqlalchemy import insert

from hangtag.store.decisions import Decision
from hangtag.store.index import Filter
from hangtag.store.products import Page, Products
from hangtag.store.tables import EmbeddingRow

PHOTOS = {f"{colour}{mark}.png": (colour, mark) for colour in ("Red", "Green", "Blue") for mark in range(2)}
FILTERS = (
    Filter(),
    Filter(state="to_check"),
    Filter(needs="any"),
    Filter(path=("Apparel",)),
    Filter(attributes={"baseColour": "Blue", "articleType": "Watches"}),
    Filter(flag="retake"),
    Filter(who="ann"),
    Filter(below=0.5),
    Filter(text="red 0"),
    Filter(ids=(1, 3)),
)


def ids(shop, batch, wanted=None, **page):
    found, total = shop.products.page(batch, wanted or Filter(), Page(limit=200, **page))
    assert len(found) == total
    return [int(product["id"]) for product in found]


@pytest.mark.costly
def test_what_is_kept_in_memory_is_what_is_stored_after_every_change(shop):
    batch, other = shop.make(PHOTOS), shop.make()
    first, second, third, *_ = ids(shop, batch)
    changes = (
        lambda: shop.decisions.decide(batch, Decision(products=(first,), set={"baseColour": "Blue"}), "ann"),
        lambda: shop.decisions.decide(batch, Decision(products=(second,), flags={"retake": True}), "bob"),
        lambda: shop.decisions.decide(batch, Decision(products=(third,), delete=True), "ann"),
        lambda: shop.add(batch, {"Red0_back.png": ("Red", 9), "new.png": ("Green", 9)}),
        shop.label,
        lambda: shop.decisions.decide(batch, Decision(products=(second,), move_to=other), "ann"),
        lambda: shop.batches.group(batch, "photo", None),
        lambda: shop.decisions.merge(batch, ids(shop, batch)[:2], "ann"),
        lambda: shop.decisions.undo(batch, "ann"),
    )
    for change in changes:
        change()
        fresh = Products(shop.store)
        for wanted in FILTERS:
            assert shop.products.count(batch, wanted) == fresh.count(batch, wanted)
            assert shop.products.page(batch, wanted, Page()) == fresh.page(batch, wanted, Page())
        assert shop.products.count(other, Filter()) == fresh.count(other, Filter())


def test_products_are_sorted_and_paged(shop):
    batch = shop.make(PHOTOS)
    added = ids(shop, batch)
    assert ids(shop, batch, descending=True) == added[::-1]
    names = [product["name"] for product in shop.products.page(batch, Filter(), Page(sort="name"))[0]]
    assert names == sorted(names)
    colours = [
        product["label"]["baseColour"]["value"]
        for product in shop.products.page(batch, Filter(), Page(sort="baseColour", descending=True))[0]
    ]
    assert colours == sorted(colours, reverse=True)
    page, total = shop.products.page(batch, Filter(), Page(offset=4, limit=3))
    assert ([int(product["id"]) for product in page], total) == (added[4:], 6)
    assert shop.products.page(batch, Filter(), Page(offset=99))[0] == []


def test_text_is_found_in_skus_names_files_and_labels(shop):
    batch = shop.make({"A1_front.png": "Red", "A1_back.png": ("Red", 1), "B2.png": "Blue"})
    assert len(ids(shop, batch, Filter(text="a1"))) == 1
    assert len(ids(shop, batch, Filter(text="BACK tshirts"))) == 1
    assert len(ids(shop, batch, Filter(text="watches"))) == 1
    assert ids(shop, batch, Filter(text="a1 watches")) == []


def test_products_that_look_alike_are_found_by_their_embeddings(shop):
    batch = shop.make(PHOTOS)
    products = shop.list(batch)
    vectors = {"Red": [1.0, 0.0], "Green": [0.8, 0.6], "Blue": [0.0, 1.0]}
    rows = [
        {
            "photo": int(photo["id"]),
            "model": 1,
            "vector": np.array(vectors[photo["name"][:-5]], np.float16).tobytes(),
        }
        for product in products
        for photo in product["photos"]
    ]
    assert shop.products.similar(batch, int(products[0]["id"]), 3) == []
    with shop.store.engine.begin() as connection:
        connection.execute(insert(EmbeddingRow), rows)
    found = shop.products.similar(batch, int(products[0]["id"]), 3)
    assert [entry["product"]["name"] for entry in found] == ["Red1.png", "Green0.png", "Green1.png"]
    assert [entry["similarity"] for entry in found] == pytest.approx([1, 0.8, 0.8], abs=1e-3)
