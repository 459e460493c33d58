"""What changed since a cursor: every change is heard of once, and a reader knows when to start again."""

import pytest

from hangtag.domain.errors import InvalidFieldsError
from hangtag.store.changes import Cursor, read_changes
from hangtag.store.decisions import Decision


def read_all(shop, batch, cursor=None, limit=2):
    """Read until there is no more; return ids of products and of removed ones, and the cursor."""
    found, removed, resets = [], [], []
    while True:
        changes = read_changes(shop.products, batch, cursor, limit)
        cursor = changes.cursor
        found += [product["id"] for product in changes.products]
        removed += changes.removed
        resets.append(changes.is_reset)
        if not changes.has_more:
            return found, removed, cursor, resets


def decide(shop, batch, products, **decision):
    """Decide about products by their ids."""
    shop.decisions.decide(batch, Decision(products=tuple(map(int, products)), **decision), "ann")


def test_all_products_without_a_cursor_and_then_only_what_changed(shop):
    """Pages of two hold each product once; afterwards a decision is the only change."""
    batch = shop.make({f"{name}.png": (name.title(), 1) for name in ("red", "green", "blue")})
    everything = {product["id"] for product in shop.list(batch)}
    found, removed, cursor, resets = read_all(shop, batch)
    assert (sorted(found), removed, resets) == (sorted(everything), [], [True, False])
    assert read_all(shop, batch, cursor) == ([], [], cursor, [False])
    decide(shop, batch, found[:1], set={"baseColour": "Green"})
    assert read_all(shop, batch, cursor)[0] == found[:1]


def test_deleted_products(shop):
    """They are listed by their ids."""
    batch = shop.make({"a.png": ("Red", 1), "b.png": ("Blue", 1)})
    found, _, cursor, _ = read_all(shop, batch)
    decide(shop, batch, found[:1], delete=True)
    assert read_all(shop, batch, Cursor.parse(str(cursor)))[:2] == ([], found[:1])


def test_a_reader_starts_again_after_products_left(shop):
    """A rebuilt batch, and a cursor of another one, give all products again."""
    batch = shop.make({"a.png": ("Red", 1), "b.png": ("Blue", 1)})
    found, _, cursor, _ = read_all(shop, batch)
    for other in (cursor._replace(rebuilt=cursor.rebuilt + 1), cursor._replace(revision=10**9)):
        again, _, _, resets = read_all(shop, batch, other, limit=10)
        assert (sorted(again), resets) == (sorted(found), [True])


@pytest.mark.parametrize("text", ["", "1", "1-2", "1-2-x", "1-2-3-4", "9" * 30 + "-1-1", "1-2-٣"])
def test_no_cursors(text):
    """What no answer held is refused."""
    with pytest.raises(InvalidFieldsError, match="cursor"):
        Cursor.parse(text)
