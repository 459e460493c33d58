import pytest
from sqlalchemy import update

from hangtag.domain.errors import BundleError
from hangtag.store.batches import BatchChange
from hangtag.store.decisions import Decision
from hangtag.store.tables import ModelRow
from hangtag.store.worker import LabellingWorker


def test_a_model_that_has_changed_stops_the_batch_until_it_is_chosen_again(shop):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {"a.png": "Red"})
    with shop.store.engine.begin() as connection:
        connection.execute(update(ModelRow).values(sha256="0" * 64))
    shop.label()
    found = shop.batches.get(batch)
    assert found["state"] == "failed"
    assert "choose it again" in found["message"]
    assert shop.batches.change(batch, BatchChange({}, "fake"))["state"] == "labelling"
    shop.label()
    assert shop.batches.get(batch)["state"] == "ready"


def test_a_model_that_is_gone_says_so(shop):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {"a.png": "Red"})

    def load(_):
        raise BundleError("the file of the model was removed")

    LabellingWorker(shop.store, load).label_all()
    assert shop.batches.get(batch)["message"] == "the file of the model was removed"


def test_photos_that_go_away_while_they_are_labelled_are_passed_over(shop):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {f"{number}.png": ("Red", number) for number in range(40)})
    other = shop.make()

    def load(id_):
        numbers = tuple(int(product["id"]) for product in shop.list(batch)[:5])
        shop.decisions.decide(batch, Decision(products=numbers, move_to=other), "ann")
        return shop.load(id_)

    LabellingWorker(shop.store, load).label_all()
    shop.label()
    assert shop.batches.get(batch)["counts"]["labelled"] + shop.batches.get(other)["counts"]["labelled"] == 40


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_batch_that_is_deleted_stops_its_labelling(shop, when):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {"a.png": "Red"})

    def load(id_):
        model = shop.load(id_)
        if when == "before":
            shop.batches.delete(batch)
        return model

    worker = LabellingWorker(shop.store, load)
    worker.label_all()
    if when == "after":
        shop.batches.delete(batch)
    assert shop.batches.page(archived=False, text="", page=(0, 9)) == ([], 0)
