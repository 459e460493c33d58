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


def test_labelling_is_stopped_and_goes_on_where_it_was(shop):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {f"{number}.png": ("Red", number) for number in range(3)})
    stopped = shop.batches.change(batch, BatchChange({}, labelling=False))
    assert stopped["state"] == "stopped"
    waiting = {"waiting": 3, "to_fetch": 0, "photos_per_s": None, "seconds_left": None}
    assert stopped["progress"] == waiting
    shop.label()
    assert shop.batches.get(batch)["counts"]["labelled"] == 0
    assert shop.batches.change(batch, BatchChange({}, labelling=True))["state"] == "labelling"
    shop.label()
    done = shop.batches.get(batch)
    assert (done["state"], done["counts"]["labelled"], done["progress"]) == ("ready", 3, None)
    assert shop.batches.change(batch, BatchChange({}, labelling=False))["state"] == "ready"


def test_a_stop_in_the_middle_keeps_what_was_found(shop, monkeypatch):
    monkeypatch.setattr("hangtag.store.worker.COMMIT_S", 0)
    monkeypatch.setattr("hangtag.store.worker.BATCH_PHOTOS", 4)
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {f"{number}.png": ("Red", number) for number in range(40)})
    seen = []

    def stop(_):
        found = shop.batches.get(batch)
        if found["counts"]["labelled"] and found["state"] == "labelling":
            seen.append(found["progress"])
            shop.batches.change(batch, BatchChange({}, labelling=False))

    shop.store.on_change = stop
    shop.label()
    found = shop.batches.get(batch)
    assert 0 < found["counts"]["labelled"] < 40
    assert found["progress"]["waiting"] == 40 - found["counts"]["labelled"]
    assert seen[0]["photos_per_s"] > 0
    assert seen[0]["seconds_left"] is not None


def test_a_folder_of_photos_that_is_gone_is_not_the_fault_of_the_photos(shop, tmp_path):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {"a.png": "Red"})
    folder = shop.store.folder.photos
    folder.rename(tmp_path / "unmounted")
    shop.label()
    found = shop.batches.get(batch)
    assert (found["state"], found["message"]) == ("failed", "the folder of the photos cannot be read")
    (tmp_path / "unmounted").rename(folder)
    shop.batches.change(batch, BatchChange({}, labelling=True))
    shop.label()
    assert (
        shop.batches.get(batch)["counts"] | {"labelled": 1, "failed": 0} == shop.batches.get(batch)["counts"]
    )


def test_a_file_that_is_gone_costs_only_its_photo(shop):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {"a.png": "Red", "b.png": "Blue"})
    next(path for path in shop.store.folder.photos.glob("??/*")).unlink()
    shop.label()
    counts = shop.batches.get(batch)["counts"]
    assert (counts["labelled"], counts["failed"]) == (1, 1)
