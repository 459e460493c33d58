"""The whole circle in a store: check, learn, labels change in place, promote, roll back."""

import numpy as np
import pytest
from sqlalchemy import select, update

from hangtag.domain.errors import ConflictError
from hangtag.inference.model import load_model
from hangtag.learning.checks import read_checks, read_control
from hangtag.learning.settings import read_requests
from hangtag.store import derived
from hangtag.store.backup import read_backup, write_backup
from hangtag.store.batches import BatchChange
from hangtag.store.labels import Labeller
from hangtag.store.refresh import refresh_products
from hangtag.store.shop_models import WorseError
from hangtag.store.shop_tables import ShopModelRow
from hangtag.store.tables import BatchRow, PhotoRow, PredictionRow
from learning_shop import open_tiny_shop


def test_the_whole_circle(shop):
    batch = shop.draw(60)
    before = {product["id"]: product["label"]["articleType"]["value"] for product in shop.list(batch)}
    was_right = shop.count_right(batch)
    checked = shop.check(batch, 30)
    said = {id_: label_of(shop, batch, id_) for id_ in checked}
    shop.model.run = None  # no photo is decoded again
    assert shop.worker.step()

    last = shop.learning.describe()["last"]
    assert last["checks"] + count_control(shop, batch, checked) == 30
    changed = [
        id_ for id_, label in before.items() if id_ not in checked and label != label_of(shop, batch, id_)
    ]
    assert last["batches"][batch]["changed"] >= len(changed) >= 3
    assert shop.count_right(batch) > was_right + 10
    assert {id_: label_of(shop, batch, id_) for id_ in checked} == said
    assert shop.batches.get(batch)["model"]["id"] == "tiny-shop-1"
    assert not shop.worker.step()  # nothing is left to do

    assert shop.learning.undo() is None
    assert shop.worker.step()
    assert not shop.worker.step()  # what was undone is not learnt again from the same checks
    unchecked = {id_: label for id_, label in before.items() if id_ not in checked}
    assert {id_: label_of(shop, batch, id_) for id_ in unchecked} == unchecked
    assert shop.batches.get(batch)["model"]["id"] == "tiny"
    with pytest.raises(ConflictError, match="nothing to undo"):
        shop.learning.undo()


def label_of(shop, batch, id_):
    return shop.products.get(batch, int(id_))["label"]["articleType"]["value"]


def count_control(shop, batch, ids):
    with shop.store.engine.connect() as connection:
        number = shop.store.find_batch(connection, batch).number
        return len({str(product) for product in read_control(connection, number)} & set(ids))


def test_derived_answers_are_those_of_the_bundle_and_new_photos_get_them_too(shop):
    batch = shop.draw(40)
    shop.check(batch, 40)
    shop.worker.step()
    other = shop.draw(12, seed=5, name="Summer")
    assert shop.batches.get(other)["model"]["id"] == "tiny-shop-1"
    (found,) = shop.models.list_versions()[0]
    model = load_model(
        shop.models.bundle(found["id"]), precision="fp32", threads=1
    )  # its golden check passes
    labeller = Labeller(model.card, dict.fromkeys(model.card.columns, 0.6))
    for product in shop.list(other):
        (photo,) = product["photos"]
        with shop.store.engine.connect() as connection:
            number = shop.store.find_batch(connection, other).model
            stored = connection.execute(
                select(PredictionRow.logits).where(
                    PredictionRow.photo == int(photo["id"]), PredictionRow.model == number
                )
            ).scalar_one()
        data = shop.store.folder.read(photo_hash(shop, photo), shop.store.limits)
        wanted = labeller.pack(model.predict(data))[0]["logits"]
        assert np.allclose(np.frombuffer(stored, "<f4"), np.frombuffer(wanted, "<f4"), atol=0.05)


def photo_hash(shop, photo):
    with shop.store.engine.connect() as connection:
        return connection.execute(
            select(PhotoRow.sha256).where(PhotoRow.number == int(photo["id"]))
        ).scalar_one()


def test_it_waits_for_a_handful_of_checks_and_can_be_switched_off(shop):
    batch = shop.draw(40)
    shop.learning.change(learn_after=12)
    shop.check(batch, 11)
    assert not shop.worker.step()
    shop.learning.change(enabled=False)
    shop.check(batch, 20)
    assert not shop.worker.step()
    shop.learning.learn(None, "Autumn", "ben")
    with shop.store.engine.connect() as connection:
        assert [request.name for request in read_requests(connection)] == ["Autumn"]  # a new process finds it
    shop.worker.step()
    (made,), _ = shop.models.list_versions("tiny")
    assert (made["name"], made["stage"], made["created_by"]) == ("Autumn", "candidate", "ben")
    assert shop.batches.get(batch)["model"]["id"] == "tiny"
    assert shop.learning.promote(made["id"], None)["stage"] == "in_use"
    shop.worker.step()
    assert shop.batches.get(batch)["model"] == {"id": "tiny-shop-1", "name": "Autumn", "version": "1"}
    assert shop.learning.roll_back() is None


def test_versions_follow_each_other_and_one_that_is_worse_needs_a_reason(shop):
    batch = shop.draw(80)
    shop.learning.change(learn_after=20)
    for _ in range(2):
        shop.check(batch, 30)
        shop.worker.step()
    second, first = shop.models.list_versions()[0]
    assert [(model["version"], model["stage"]) for model in (second, first)] == [
        (2, "in_use"),
        (1, "archived"),
    ]
    with shop.store.engine.begin() as connection:
        figures = first["figures"]
        figures["articleType"]["worse"] = ["Jeans"]
        connection.execute(update(ShopModelRow).where(ShopModelRow.version == 1).values(figures=figures))
    with pytest.raises(WorseError, match="articleType \\(Jeans\\)"):
        shop.learning.promote(first["id"], None)
    kept = shop.learning.promote(first["id"], "the season is over")
    assert (kept["stage"], kept["override_reason"]) == ("in_use", "the season is over")
    assert shop.models.get(second["id"])["stage"] == "archived"
    assert shop.learning.roll_back()["version"] == 2
    with pytest.raises(ConflictError, match="in use"):
        shop.models.archive(second["id"])


def test_the_control_is_never_learnt_and_counts_only_in_its_order(shop):
    batch = shop.draw(120)
    with shop.store.engine.connect() as connection:
        row = shop.store.find_batch(connection, batch)
        control = [str(number) for number in read_control(connection, row.number)]
    assert 2 <= len(control) < 20
    shop.check(batch, ids={*control[1:]})
    base = find_base(shop, batch)
    assert read_checks(shop.store, base).control is None  # the first was not asked for
    assert read_checks(shop.store, base).learnt is None
    shop.check(batch, ids={control[0]})
    assert len(read_checks(shop.store, base).control) == len(control)
    shop.check(batch, 40)
    shop.worker.step()
    (made,), _ = shop.models.list_versions()
    figures = made["figures"]["articleType"]
    assert figures["shop"]["checked"] == figures["before"]["checked"] == len(control)
    assert figures["shop"]["share"] >= figures["before"]["share"]
    assert sum(found["checks"] for found in figures["classes"]) == len(control)
    state = shop.learning.describe()
    assert state["accuracy"]["articleType"]["checked"] == len(control)
    assert state["drift"][0]["products"] == 120


def find_base(shop, batch):
    with shop.store.engine.connect() as connection:
        return shop.store.base_of(connection, shop.store.find_batch(connection, batch).model)


def test_a_batch_can_be_given_to_the_model_again_and_products_moved(shop):
    batch = shop.draw(40)
    shop.check(batch, 20)
    shop.worker.step()
    shop.batches.change(batch, BatchChange({}, "tiny"))
    assert shop.batches.get(batch)["model"]["id"] == "tiny-shop-1"
    assert shop.batches.get(batch)["state"] == "ready"
    with shop.store.engine.connect() as connection:
        answered = connection.execute(select(PredictionRow.photo, PredictionRow.model)).all()
        number = connection.execute(select(BatchRow.model)).scalar_one()
    assert len([row for row in answered if row.model == number]) == 40


def test_what_to_check_next_covers_kinds_and_asks_for_the_control_in_its_order(shop):
    batch = shop.draw(120)
    with shop.store.engine.connect() as connection:
        row = shop.store.find_batch(connection, batch)
        control = [str(number) for number in read_control(connection, row.number)]
    found = shop.learning.suggestions.find(batch, 20)
    items = found["items"]
    assert len({item["product"] for item in items}) == len(items) == 20
    assert [item["product"] for item in items if item["why"] == "control"] == control[:2]
    assert [place for place, item in enumerate(items) if item["why"] == "control"] == [7, 15]
    settled = [other for item in items for other in item["alike"]]
    assert not {*settled, *(item["product"] for item in items if item["why"] != "control")} & set(control)
    shop.check(batch, ids={item["product"] for item in items[:12]})
    again = shop.learning.suggestions.find(batch, 200)["items"]
    assert not {item["product"] for item in again} & {item["product"] for item in items[:12]}
    assert [item["product"] for item in again if item["why"] == "control"] == control[1:]
    shop.check(batch)
    shop.worker.step()
    assert shop.learning.suggestions.find(batch, 20) == {"items": [], "left": 0}
    (made,), _ = shop.models.list_versions()
    changed = shop.models.list_changed(made["id"])
    assert changed == []  # all was checked


def test_a_backup_holds_the_bundles_that_batches_are_labelled_by(shop, tmp_path):
    batch = shop.draw(30)
    shop.check(batch, 20)
    shop.worker.step()
    write_backup(shop.store.engine, shop.store.folder, tmp_path / "backup.tar")
    (tmp_path / "other").mkdir()
    other = open_tiny_shop(tmp_path / "other")
    read_backup(tmp_path / "backup.tar", other.store.engine, other.store.folder)
    assert other.models.list_versions() == shop.models.list_versions()
    assert other.models.bundle(shop.models.list_versions()[0][0]["id"]).exists()
    assert other.batches.get(batch)["model"]["id"] == "tiny-shop-1"
    other.store.engine.dispose()


def test_people_decide_while_labels_follow(shop, monkeypatch):
    batch = shop.draw(60)
    shop.check(batch, 30)
    sizes, decided, refresh = [], [], derived.refresh_products

    def note(store, change, numbers, **options):
        sizes.append(len(list(numbers)))
        refresh(store, change, numbers, **options)

    def iter_with_a_decision(items, _size=10):
        for start in range(0, len(items), 10):
            yield items[start : start + 10]
            if sizes and not decided:
                decided.extend(shop.check(batch, 1))

    monkeypatch.setattr(derived, "refresh_products", note)
    monkeypatch.setattr(derived, "iter_parts", iter_with_a_decision)
    assert shop.worker.step()
    assert max(sizes) == 10
    assert len(sizes) == 7  # six parts, and the product that somebody decided on meanwhile
    product = shop.products.get(batch, int(decided[0]))
    assert product["state"] != "to_check"
    assert product["label"]["articleType"]["value"] == shop.kinds[product["photos"][0]["name"]]
    assert {found["label"]["articleType"]["made_by"]["id"] for found in shop.list(batch)} == {"tiny-shop-1"}


@pytest.mark.parametrize("place", ["keep", "promote", "refresh"])
def test_a_process_that_ends_in_the_middle_is_taken_up_by_the_next(tmp_path, monkeypatch, place):
    shop = open_tiny_shop(tmp_path)
    batch = shop.draw(40)
    checked = shop.check(batch, 25)
    said = {id_: label_of(shop, batch, id_) for id_ in checked}

    calls = []

    def end(*arguments, **options):
        calls.append(options)
        if place != "refresh" or len(calls) > 1:
            raise KeyboardInterrupt
        refresh_products(*arguments, **options)  # it ends in the middle of a batch

    with monkeypatch.context() as patch:
        owner = {"keep": shop.models.folder, "refresh": derived}.get(place, shop.models)
        patch.setattr(derived, "_AT_ONCE", 10)
        patch.setattr(owner, "refresh_products" if place == "refresh" else place, end)
        with pytest.raises(KeyboardInterrupt):
            shop.worker.step()
    shop.store.engine.dispose()
    again = open_tiny_shop(tmp_path)
    while again.worker.step():
        pass
    in_use = [model for model in again.models.list_versions()[0] if model["stage"] == "in_use"]
    assert again.batches.get(batch)["model"]["id"] == in_use[0]["model"]
    assert again.learning.describe()["last"]["batches"][batch]["changed"] > 0
    assert {id_: label_of(again, batch, id_) for id_ in checked} == said
    again.store.engine.dispose()
