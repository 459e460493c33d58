"""Photos that a sheet names by addresses, fetched from a server of this machine."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from hangtag.domain.errors import InvalidFieldsError
from hangtag.imaging.addresses import AddressRules
from hangtag.store.batches import BatchChange
from hangtag.store.fetching import FetchWorker
from hangtag.store.keeping import Quotas
from hangtag.store.sheets import ColumnMapping
from hangtag.store.store import FetchPolicy
from store_shop import draw

PHOTOS = {"/a/1.png": ("Red", 1), "/b/1.png": ("Green", 2), "/render?id=3": ("Blue", 3)}
MAPPING = ColumnMapping(key="SKU", addresses=("Image",))


class Supplier(BaseHTTPRequestHandler):
    """A supplier's server: three photos, everything else is not there."""

    asked: ClassVar = Counter()

    def do_GET(self):
        self.asked[self.path] += 1
        body = draw(*PHOTOS[self.path]) if self.path in PHOTOS else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def supplier():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Supplier)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _nothing_asked():
    Supplier.asked.clear()


@pytest.fixture
def policy(shop):
    rules = AddressRules(hosts=frozenset({"127.0.0.1"}))
    shop.store.fetching = FetchPolicy(rules, max_photos=10, timeout_s=10, attempts=1)
    return shop.store.fetching


def make_sheet(supplier, *paths):
    rows = "".join(f"S{place},{supplier}{path}\n" for place, path in enumerate(paths, start=1))
    return f"SKU,Image\n{rows}".encode()


def drop(shop, sheet, **photos):
    batch = shop.batches.create("b", None, "ann")["id"]
    shop.add(batch, {"list.csv": sheet, **photos})
    return batch


def fetch(shop):
    worker = FetchWorker(shop.store, shop.store.fetching)
    worker.fetch_all()
    worker.stop()


@pytest.mark.usefixtures("policy")
def test_photos_are_fetched_once_a_person_has_confirmed_the_columns(shop, supplier):
    batch = drop(shop, make_sheet(supplier, "/a/1.png", "/b/1.png", "/render?id=3", "/gone.png"))
    told = shop.batches.describe_sheet(batch)
    assert told["mapping"]["addresses"] == ["Image"]
    assert told["counts"]["matched"] == 4
    assert told["fetching"] == {
        "is_allowed": True,
        "addresses": 4,
        "to_fetch": 4,
        "hosts": ["127.0.0.1"],
        "refused_hosts": [],
    }
    fetch(shop)
    assert not Supplier.asked
    shop.batches.use_sheet(batch, None, None)
    shop.label()  # there is nothing to label yet, and it does not wait
    waiting = shop.batches.get(batch)
    assert (waiting["state"], waiting["progress"]["to_fetch"]) == ("labelling", 4)
    assert all(product["needs"] is None for product in shop.list(batch))
    fetch(shop)
    shop.label()
    found = {product["key"]: product for product in shop.list(batch)}
    colours = {key: product["label"].get("baseColour", {}).get("value") for key, product in found.items()}
    assert colours == {"S1": "Red", "S2": "Green", "S3": "Blue", "S4": None}
    (absent,) = found["S4"]["photos"]
    assert absent["error"] == {"reason": "not_found", "message": "the server answers 404"}
    assert shop.batches.get(batch)["state"] == "ready"


def test_nothing_is_fetched_unless_an_administrator_allows_it(shop, supplier):
    batch = drop(shop, make_sheet(supplier, "/a/1.png"))
    told = shop.batches.use_sheet(batch, None, MAPPING)
    assert (told["fetching"]["is_allowed"], told["fetching"]["to_fetch"]) == (False, 0)
    assert told["counts"]["without_photo"] == 1
    assert (shop.batches.get(batch)["counts"]["photos"], Supplier.asked) == (0, {})


@pytest.mark.usefixtures("policy")
def test_a_host_that_is_not_listed_is_named_and_never_asked(shop, supplier):
    batch = drop(shop, make_sheet(supplier.replace("127.0.0.1", "localhost"), "/a/1.png"))
    told = shop.batches.use_sheet(batch, None, MAPPING)
    assert (told["fetching"]["to_fetch"], told["fetching"]["refused_hosts"]) == (0, ["localhost"])
    assert told["counts"]["without_photo"] == 1
    fetch(shop)
    (product,) = shop.list(batch)
    assert product["photos"][0]["error"]["reason"] == "private_address"
    assert not Supplier.asked


@pytest.mark.usefixtures("policy")
def test_an_uploaded_photo_is_not_fetched(shop, supplier):
    batch = drop(shop, make_sheet(supplier, "/a/1.png", "/render?id=3"), **{"1.png": "Green"})
    shop.batches.use_sheet(batch, None, MAPPING)
    fetch(shop)
    assert Supplier.asked == {"/render?id=3": 1}
    assert len(shop.list(batch)) == 2


@pytest.mark.usefixtures("policy")
def test_confirming_again_tries_what_did_not_come_and_fetches_nothing_twice(shop, supplier):
    batch = drop(shop, make_sheet(supplier, "/a/1.png", "/gone.png"))
    for _ in range(2):
        shop.batches.use_sheet(batch, None, MAPPING)
        fetch(shop)
    assert Supplier.asked == {"/a/1.png": 1, "/gone.png": 2}
    assert shop.batches.get(batch)["counts"]["photos"] == 2
    shop.batches.use_sheet(batch, None, ColumnMapping(key="SKU"))
    assert shop.batches.get(batch)["counts"]["photos"] == 1


def test_fetching_goes_on_after_a_process_ended(shop, supplier, policy):
    batch = drop(shop, make_sheet(supplier, "/a/1.png"))
    shop.batches.use_sheet(batch, None, MAPPING)
    ended = FetchWorker(shop.store, policy)
    (taken,) = ended.take(5)
    ended.stop()
    assert taken.address == f"{supplier}/a/1.png"
    if shop.store.engine.dialect.name != "sqlite":
        assert not ended.take(5)  # another service could have it in hand
        return
    came = threading.Event()
    shop.store.on_change = lambda _: came.set()
    restarted = FetchWorker(shop.store, policy)
    restarted.start()
    assert came.wait(30)
    restarted.stop()
    assert shop.batches.get(batch)["progress"]["to_fetch"] == 0


@pytest.mark.usefixtures("policy")
def test_a_stopped_batch_fetches_nothing(shop, supplier):
    batch = drop(shop, make_sheet(supplier, "/a/1.png"))
    shop.batches.use_sheet(batch, None, MAPPING)
    assert shop.batches.change(batch, BatchChange({}, labelling=False))["state"] == "stopped"
    fetch(shop)
    assert not Supplier.asked


@pytest.mark.usefixtures("policy")
def test_a_full_store_lets_the_batch_rest_until_it_is_resumed(shop, supplier):
    batch = drop(shop, make_sheet(supplier, "/a/1.png"))
    shop.batches.use_sheet(batch, None, MAPPING)
    shop.store.quotas = Quotas(photo_bytes=1)
    fetch(shop)
    rests = shop.batches.get(batch)
    assert (rests["state"], rests["progress"]["to_fetch"]) == ("failed", 1)
    assert "there is room for" in rests["message"]
    shop.store.quotas = Quotas()
    shop.batches.change(batch, BatchChange({}, labelling=True))
    fetch(shop)
    shop.label()
    assert shop.batches.get(batch)["counts"]["labelled"] == 1


@pytest.mark.usefixtures("policy")
def test_more_addresses_than_a_batch_takes_change_nothing(shop, supplier):
    batch = drop(shop, make_sheet(supplier, *(f"/{number}.png" for number in range(11))))
    with pytest.raises(InvalidFieldsError, match="at most 10 photos"):
        shop.batches.use_sheet(batch, None, MAPPING)
    assert shop.batches.get(batch)["counts"]["photos"] == 0


@pytest.mark.usefixtures("policy")
def test_a_copy_of_a_batch_fetches_what_is_missing(shop, supplier):
    batch = drop(shop, make_sheet(supplier, "/a/1.png"))
    shop.batches.use_sheet(batch, None, MAPPING)
    copy = shop.batches.duplicate(batch, "ben")["id"]
    fetch(shop)
    assert Supplier.asked == {"/a/1.png": 2}
    assert shop.batches.get(copy)["progress"]["to_fetch"] == 0
