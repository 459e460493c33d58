"""Batches that kill their process, and several processes that share the batches of a PostgreSQL."""

import os
import signal
import sys
import time
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from hangtag.store.claims import MOST_DEATHS, SEVERAL, ClaimRow, Claims
from hangtag.store.worker import LabellingWorker
from postgres import get_server
from store_shop import open_shop

KILLED = -signal.SIGKILL


class Deadly:
    """A model that ends its process at a blue photo, or as soon as it is loaded."""

    def __init__(self, model, *, at_once=False):
        self._model = model
        self.card, self.sha256 = model.card, model.sha256
        if at_once:
            os.kill(os.getpid(), signal.SIGKILL)

    def run(self, pixels):
        if (pixels[..., 2].mean(axis=(1, 2)) > 100).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return self._model.run(pixels)

    def iter_run(self, batches):
        for pixels in batches:
            yield self.run(pixels)


def label_apart(folder, url, **deadly):
    """Label all that waits in a process of its own; return how it left."""
    process = os.fork()
    if not process:
        try:
            shop = open_shop(folder, url)
            worker = LabellingWorker(shop.store, lambda id_: Deadly(shop.load(id_), **deadly), lease_s=0.0)
            worker.label_all()
        except BaseException as error:  # noqa: BLE001 - a child must not go on with what its parent does
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def count_deaths(folder, url, **deadly):
    """Label again and again until a process comes to its end; return how many did not."""
    for deaths in range(20):
        status = label_apart(folder, url, **deadly)
        assert status in {0, KILLED}
        if not status:
            return deaths
    raise AssertionError("it never ends")


def test_photos_that_kill_their_process_are_set_aside_and_all_others_labelled(shop, url, tmp_path):
    colours = ["Red", "Green"] * 30
    colours[40] = colours[55] = "Blue"
    files = {f"{number:02}.png": (colour, number) for number, colour in enumerate(colours)}
    batch = shop.batches.create("bad", None, "ann")["id"]
    other = shop.batches.create("good", None, "ann")["id"]
    shop.add(batch, files)
    shop.add(other, {"a.png": ("Red", 900)})
    assert count_deaths(tmp_path, url) <= 2 * MOST_DEATHS
    photos = [photo for product in shop.list(batch) for photo in product["photos"]]
    failed = {photo["name"]: photo["error"] for photo in photos if photo["error"]}
    assert sorted(failed) == ["40.png", "55.png"]
    assert all(error["reason"] == "too_expensive" for error in failed.values())
    assert all("was skipped" in error["message"] for error in failed.values())
    assert not any(photo["waiting"] for photo in photos)
    assert {shop.batches.get(id_)["state"] for id_ in (batch, other)} == {"ready"}
    assert shop.batches.get(other)["counts"]["labelled"] == 1


def test_a_batch_whose_model_kills_its_process_is_set_aside(shop, url, tmp_path):
    batch = shop.batches.create("bad", None, "ann")["id"]
    shop.add(batch, {"a.png": "Red"})
    assert count_deaths(tmp_path, url, at_once=True) == MOST_DEATHS
    found = shop.batches.get(batch)
    assert found["state"] == "failed"
    assert "labelling was stopped" in found["message"]


def test_kills_from_outside_set_nothing_aside(shop):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {f"{number}.png": ("Red", number) for number in range(3)})
    numbers = [int(photo["id"]) for product in shop.list(batch) for photo in product["photos"]]
    in_hand = [SEVERAL, numbers[0], None, numbers[1], numbers[2], None, SEVERAL, numbers[0]]
    for held in in_hand:
        claims = Claims(shop.store, lease_s=0.0)
        claim = claims.take()
        assert not claim.is_poison
        claims.note(claim.batch, held)


def test_who_ends_in_order_is_not_counted(shop):
    batch = shop.make({"a.png": "Red"})
    shop.add(batch, {"b.png": ("Red", 1)})
    assert Claims(shop.store).take().deaths == 0
    with shop.store.engine.connect() as connection:
        assert len(connection.execute(ClaimRow.__table__.select()).all()) == 1
    shop.batches.delete(batch)
    with shop.store.engine.connect() as connection:
        assert connection.execute(ClaimRow.__table__.select()).all() == []


@pytest.fixture
def shared(tmp_path):
    """Two services on one PostgreSQL and one photo folder."""
    url = get_server().make_database()
    shops = [open_shop(tmp_path, url) for _ in range(2)]
    yield shops
    for shop in shops:
        shop.store.engine.dispose()


def test_services_share_the_batches_of_one_database(shared):
    first = shared[0]
    batches = [first.batches.create(name, None, "ann")["id"] for name in "ab"]
    for number, batch in enumerate(batches):
        first.add(batch, {"a.png": ("Red", number)})
    claims = [Claims(shop.store) for shop in shared]
    taken = [claim.take().batch for claim in claims]
    assert len(set(taken)) == 2
    assert claims[0].take().batch == taken[0]  # its own, and not that of the other
    claims[1].release(taken[1])
    assert claims[0].take() is not None


def test_what_a_dead_service_held_goes_to_another_and_late_answers_are_dropped(shared):
    first, second = shared
    batch = first.batches.create("a", None, "ann")["id"]
    first.add(batch, {f"{number}.png": ("Red", number) for number in range(20)})
    late, quick = Claims(first.store, lease_s=0.3), Claims(second.store)
    claim = late.take()
    assert quick.take() is None
    late.renew_all()
    assert quick.take() is None
    time.sleep(0.35)
    assert quick.take().deaths == 1
    with first.store.changing(claim.batch) as change:
        assert not late.renew(change.connection, claim.batch)
    assert late.take() is None
    quick.release(claim.batch)
    LabellingWorker(second.store, second.load).label_all()
    assert first.batches.get(batch)["counts"]["labelled"] == 20


@pytest.mark.filterwarnings(
    "ignore:.*deleted while still open:ResourceWarning"
)  # a cursor whose database has gone
def test_a_worker_goes_on_when_its_database_comes_back(shared):
    first, second = shared
    batch = first.batches.create("a", None, "ann")["id"]
    first.add(batch, {f"{number}.png": ("Red", number) for number in range(20)})

    def load(id_):
        with second.store.engine.connect() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            )
        return first.load(id_)

    worker = LabellingWorker(first.store, load)
    worker.start()
    try:
        for _ in range(200):
            with suppress(OperationalError):  # a connection of this thread was closed, too
                if first.batches.get(batch)["state"] == "ready":
                    break
            time.sleep(0.05)
        assert first.batches.get(batch)["counts"]["labelled"] == 20
    finally:
        worker.stop()
