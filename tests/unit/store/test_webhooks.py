"""What webhooks are told: everything that changed, once, whoever sends and whatever ends in between."""

import json
from datetime import timedelta

import pytest

from hangtag.domain.errors import NotStoredError
from hangtag.store import outbox as outbox_module
from hangtag.store import webhooks as webhooks_module
from hangtag.store.decisions import Decision
from hangtag.store.outbox import ATTEMPTS, EVENTS, Outbox, Outcome
from hangtag.store.store import now
from hangtag.store.webhooks import Webhooks

ARRIVED = Outcome(200, None, 5)
REFUSED = Outcome(500, "the address answered 500", 5)


class Hooks:
    """The webhooks of a store, with a clock that can be moved on."""

    def __init__(self, shop, monkeypatch):
        self.shop = shop
        self.clock = now()
        for module in (outbox_module, webhooks_module):
            monkeypatch.setattr(module, "now", lambda: self.clock)
        self.kept = Webhooks(shop.store.engine)
        self.outbox = Outbox(shop.store.engine)

    def add(self, *events):
        """Register an address; return its id."""
        return self.kept.add("https://shop.example/hook", "", events or EVENTS, "ann")[0]

    def send(self, outcome=ARRIVED):
        """Send all that is due now; return the messages' payloads."""
        sent = []
        self.outbox.collect()
        for webhook in self.outbox.list_due():
            while (message := self.outbox.lease(webhook)) is not None:
                sent.append(json.loads(message.body))
                if not self.outbox.record(message, outcome):
                    break
        return sent

    def decide(self, batch, product, colour):
        """Let a person set the colour of a product."""
        self.shop.decisions.decide(
            batch, Decision(products=(int(product),), set={"baseColour": colour}), "bea"
        )


@pytest.fixture
def hooks(shop, monkeypatch):
    return Hooks(shop, monkeypatch)


def test_what_happens_is_told_once_and_in_order(hooks):
    """Labelled products, that the batch is ready, a decision, a deletion, the end of the batch."""
    old = hooks.shop.make({"old.png": "Red"})
    hooks.add()
    assert hooks.send() == []
    batch = hooks.shop.make({f"{name}.png": name.title() for name in ("red", "green")})
    changed, ready = hooks.send()
    assert (changed["type"], ready["type"]) == ("products.changed", "batch.ready")
    assert changed["data"]["batch"] == {"id": batch, "name": "Spring", "state": "ready"}
    first, second = changed["data"]["products"]
    assert first["labels"]["baseColour"]["state"] == "predicted"
    hooks.decide(batch, first["id"], "Blue")
    (told,) = hooks.send()
    (product,) = told["data"]["products"]
    assert (product["id"], product["updated_by"]) == (first["id"], "bea")
    assert product["labels"]["baseColour"] == {"value": "Blue", "state": "corrected", "confidence": None}
    assert product["version"] > first["version"]
    hooks.shop.decisions.decide(batch, Decision(products=(int(second["id"]),), delete=True), "bea")
    (gone,) = hooks.send()
    assert gone["data"]["removed"] == [second["id"]]
    hooks.shop.batches.delete(batch)
    (end,) = hooks.send()
    assert (end["type"], end["data"]) == ("batch.deleted", {"batch": {"id": batch}})
    assert hooks.send() == []
    hooks.shop.batches.delete(old)


def test_a_large_change_comes_in_several_messages(hooks, monkeypatch):
    """One decision about many products has one revision; none is lost between messages, and the batch is ready last."""
    monkeypatch.setattr(outbox_module, "PRODUCTS_A_MESSAGE", 2)
    hooks.add()
    batch = hooks.shop.make({f"{number}.png": ("Red", number) for number in range(5)})
    sent = []
    for _ in range(3):
        sent += hooks.send()
    assert [len(message["data"].get("products", ())) for message in sent] == [2, 2, 1, 0]
    assert [message["data"].get("more") for message in sent] == [True, True, False, None]
    everything = tuple(int(product["id"]) for product in hooks.shop.list(batch))
    hooks.shop.decisions.decide(batch, Decision(products=everything, set={"baseColour": "Blue"}), "bea")
    again = [*hooks.send(), *hooks.send(), *hooks.send()]
    assert sorted(int(product["id"]) for told in again for product in told["data"]["products"]) == sorted(
        everything
    )


def test_only_what_was_asked_for(hooks):
    """A webhook that is told of ready batches alone hears of no product."""
    hooks.add("batch.ready")
    hooks.shop.make({"red.png": "Red"})
    assert [message["type"] for message in hooks.send()] == ["batch.ready"]


def test_retries_back_off_and_end(hooks):
    """Each pause is longer; after the last try the message has failed, and the address is turned off."""
    hook = hooks.add("batch.ready")
    hooks.shop.make({"red.png": "Red"})
    pauses = []
    for _ in range(ATTEMPTS):
        assert len(hooks.send(REFUSED)) == 1
        assert hooks.send(REFUSED) == []
        (delivery,) = hooks.kept.deliveries(hook, 0, 9)["items"]
        if delivery["next_try"] is not None:
            pauses.append((delivery["next_try"] - hooks.clock).total_seconds())
            hooks.clock = delivery["next_try"]
    assert pauses == sorted(pauses)
    assert (pauses[0], len(pauses)) == (5, ATTEMPTS - 1)
    assert (delivery["state"], delivery["status"]) == ("failed", 500)
    assert hooks.kept.get(hook)["disabled_because"] == "no message could be delivered for days"
    hooks.shop.make({"blue.png": "Blue"})
    assert hooks.send() == []
    hooks.kept.change(hook, disabled=None)
    assert [message["type"] for message in hooks.send()] == ["batch.ready"]
    hooks.kept.redeliver(hook, delivery["id"])
    assert hooks.send()[0] == delivery["payload"]
    assert hooks.kept.delivery(hook, delivery["id"])["repeated"]


def test_an_address_that_is_gone(hooks):
    """410 means that nothing is wanted any more."""
    hook = hooks.add("batch.ready")
    hooks.shop.make({"red.png": "Red"})
    hooks.send(Outcome(410, "the address answered 410", 5, is_gone=True))
    assert not hooks.kept.get(hook)["enabled"]


def test_a_pause_that_is_asked_for(hooks):
    """The address says when to come again; its other messages wait a minute at most."""
    hook = hooks.add()
    hooks.shop.make({"red.png": "Red"})
    hooks.send(Outcome(503, "the address answered 503", 5, pause_s=900))
    newest, first = hooks.kept.deliveries(hook, 0, 9)["items"]
    assert first["next_try"] - hooks.clock == timedelta(seconds=900)
    assert newest["next_try"] - hooks.clock == timedelta(seconds=60)


def test_a_message_in_hand_is_nobody_elses(hooks):
    """Of two services one sends; when it ends without a word, the other does so later."""
    hooks.add("batch.ready")
    hooks.shop.make({"red.png": "Red"})
    hooks.outbox.collect()
    other = Outbox(hooks.shop.store.engine)
    assert other.collect() == 0
    (webhook,) = hooks.outbox.list_due()
    message = hooks.outbox.lease(webhook)
    assert other.lease(webhook) is None
    assert other.list_due() == []
    hooks.clock += timedelta(seconds=46)
    again = other.lease(webhook)
    assert (again.id, again.attempt) == (message.id, 2)


def test_a_change_whose_telling_was_cut_off(hooks, monkeypatch):
    """The message and the place of the webhook are written together, or not at all."""
    hooks.add()
    hooks.shop.make({"red.png": "Red"})

    def fail(*_arguments):
        raise KeyError

    with monkeypatch.context() as broken:
        broken.setattr(outbox_module, "move", fail)
        with pytest.raises(KeyError):
            hooks.outbox.collect()
    assert [message["type"] for message in hooks.send()] == ["products.changed", "batch.ready"]


def test_a_new_secret_and_the_old_one_for_a_day(hooks):
    """Both sign, then the new one alone."""
    hook = hooks.add()
    new = hooks.kept.rotate(hook)
    for after, count in ((0, 2), (25, 1)):
        hooks.clock += timedelta(hours=after)
        hooks.kept.send_test(hook, "ann")
        (webhook,) = hooks.outbox.list_due()
        message = hooks.outbox.lease(webhook)
        hooks.outbox.record(message, ARRIVED)
        assert (len(message.secrets), message.secrets[0]) == (count, new)


def test_the_log_is_kept_for_a_month(hooks):
    """What still waits is kept longer."""
    hook = hooks.add("batch.ready")
    hooks.shop.make({"red.png": "Red"})
    hooks.send()
    hooks.kept.send_test(hook, None)
    hooks.clock += timedelta(days=31)
    hooks.outbox.remove_old()
    assert [item["event"] for item in hooks.kept.deliveries(hook, 0, 9)["items"]] == ["test"]
    hooks.kept.remove(hook)
    with pytest.raises(NotStoredError):
        hooks.kept.get(hook)
