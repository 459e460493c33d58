"""Photos that show the same picture as an earlier one, in a file of its own."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from hangtag.store.batches import BatchChange
from hangtag.store.decisions import Decision
from hangtag.store.worker import LabellingWorker


def picture(seed):
    """Return a picture with soft structure, as photos have."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 9, 3), np.uint8)
    return (
        Image.fromarray(noise).resize((90, 120), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
    )


def save(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


SHIRT = save(picture(1))
AGAIN = save(picture(1), "JPEG", quality=80)
SMALLER = save(picture(1).resize((68, 90), Image.Resampling.LANCZOS))
OTHER = save(picture(2))


def near(products):
    """Return the names of photos that are near duplicates, with the place of what came first."""
    return {
        photo["name"]: (photo["duplicate_of"]["batch"], photo["duplicate_of"]["product"])
        for product in products
        for photo in product["photos"]
        if photo["is_near_duplicate"]
    }


def test_a_photo_saved_again_is_shown_with_the_first_one(shop):
    batch = shop.make({"a.png": SHIRT, "b.png": OTHER, "c.jpg": AGAIN})
    first = next(product for product in shop.list(batch) if product["name"] == "a.png")
    assert near(shop.list(batch)) == {"c.jpg": (batch, first["id"])}
    assert [product["name"] for product in shop.list(batch, flag="near_duplicate")] == ["c.jpg"]


def test_it_is_found_in_another_batch_and_by_a_worker_that_starts_later(shop):
    first = shop.make({"a.png": SHIRT})
    (product,) = shop.list(first)
    second = shop.make({"small.png": SMALLER, "b.png": OTHER})
    assert near(shop.list(second)) == {"small.png": (first, product["id"])}


def test_the_same_file_is_a_duplicate_and_not_a_near_one(shop):
    first = shop.make({"a.png": SHIRT})
    second = shop.make({"b.png": SHIRT})
    assert near(shop.list(first) + shop.list(second)) == {}
    assert [product["name"] for product in shop.list(second, flag="duplicate")] == ["b.png"]
    assert shop.list(second, flag="near_duplicate") == []


def test_a_product_with_a_new_photo_is_none(shop):
    shop.make({"a.png": SHIRT})
    batch = shop.make({"SKU-1_front.jpg": AGAIN, "SKU-1_back.png": OTHER, "SKU-2_front.png": SMALLER})
    assert [len(product["photos"]) for product in shop.list(batch)] == [2, 1]
    assert set(near(shop.list(batch))) == {"SKU-1_front.jpg", "SKU-2_front.png"}
    assert [product["key"] for product in shop.list(batch, flag="near_duplicate")] == ["SKU-2"]


def test_a_copy_of_a_batch_says_what_the_batch_says(shop):
    batch = shop.make({"a.png": SHIRT, "c.jpg": AGAIN})
    copy = shop.batches.duplicate(batch, "bob")["id"]
    shop.label()
    assert set(near(shop.list(copy))) == {"c.jpg"}


@pytest.mark.parametrize("is_deleted", [True, False])
def test_what_is_deleted_does_not_count(shop, is_deleted):
    first = shop.make({"a.png": SHIRT})
    (product,) = shop.list(first)
    if is_deleted:
        shop.batches.delete(first)
    else:
        gone = Decision(matching=None, products=(int(product["id"]),), delete=True)
        shop.decisions.decide(first, gone, "ann")
    assert near(shop.list(shop.make({"c.jpg": AGAIN}))) == {}


def test_a_worker_that_goes_on_after_a_batch_was_deleted_finds_what_came_since(shop):
    worker = LabellingWorker(shop.store, shop.load)

    def make(files):
        batch = shop.batches.create("b", None, "ann")["id"]
        shop.add(batch, files)
        worker.label_all()
        return batch

    for gone in [make({"o.png": OTHER}), make({"p.png": save(picture(3))})]:
        shop.batches.delete(gone)
    make({"a.png": SHIRT})
    assert set(near(shop.list(make({"c.jpg": AGAIN})))) == {"c.jpg"}


def test_labelling_anew_changes_nothing(shop):
    batch = shop.make({"a.png": SHIRT, "c.jpg": AGAIN})
    before = near(shop.list(batch))
    shop.batches.change(batch, BatchChange({}, model="other"))
    shop.label()
    assert near(shop.list(batch)) == before != {}
