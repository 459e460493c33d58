"""A service with a tiny model."""

import csv
import io
import time
from functools import partial

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from hangtag.bundle.file import write_bundle
from hangtag.server.access import control
from hangtag.server.app import create_app
from hangtag.server.settings import Settings
from migrated import _begin_migrated  # noqa: F401 - a fixture of all tests here
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

API = "/api/v1"


@pytest.fixture(scope="session", autouse=True)
def _hash_at_once():
    """Hash passwords in a millisecond; tests/stages/test_accounts.py sees that the service itself takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control, "PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=64))
        yield


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with the bundles `tiny` and `other`."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("tiny", "other")):
        graph = build_tiny_graph(seed=seed)
        write_bundle(graph, build_tiny_card(graph, name=name, version=str(seed + 1)), folder / f"{name}.onnx")
    return folder


@pytest.fixture(scope="session")
def build_settings(models, tmp_path_factory):
    """Build settings of the tiny model, with changes and a data folder of their own."""

    def build(**changes):
        values = {
            "data_folder": tmp_path_factory.mktemp("data"),
            "models": str(models),
            "model": "tiny",
            "precision": "fp32",
            "catalogue": None,
            "threads": 1,
        }
        return Settings(**(values | changes))

    return build


@pytest.fixture
def open_client(build_settings):
    """Start a service with changed settings, and end it after the test."""
    opened = []

    def open_(**changes):
        client = TestClient(create_app(build_settings(**changes)))
        client.__enter__()
        opened.append(client)
        return client

    yield open_
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def client(build_settings):
    """A service that tests share; what they do to it harms no other."""
    with TestClient(create_app(build_settings())) as client:
        yield client


SHEET = b"""sku,title,description,price,link,image_link,availability,brand,color,size
A1,Polo,A polo,19.90 EUR,https://shop.example/a1,https://shop.example/a1.jpg,in_stock,Acme,red,M
A2,Boots,,89 EUR,,,in_stock,Acme,,
"""


@pytest.fixture(scope="session")
def sold_batch(client):
    """The id of a labelled batch of two products with a sheet; the first has two photos and is checked."""
    id_ = client.post(f"{API}/batches", json={"name": "Spring/M\u00e4rz"}).json()["id"]
    photos = {"A1_front.png": 1, "A1_back.png": 2, "A2_front.png": 3}
    files = [("files", (name, draw_png(seed), "image/png")) for name, seed in photos.items()]
    files.append(("files", ("supplier.csv", SHEET, "text/csv")))
    assert client.post(f"{API}/batches/{id_}/files", files=files).is_success
    until = time.monotonic() + 60
    while client.get(f"{API}/batches/{id_}").json()["state"] != "ready" and time.monotonic() < until:
        time.sleep(0.05)
    items = client.get(f"{API}/batches/{id_}/products").json()["items"]
    first = next(item["id"] for item in items if item["key"] == "A1")
    label = {"articleType": "Tshirts", "gender": "Women"}
    decision = {"products": [first], "set": label, "confirm": True}
    assert client.post(f"{API}/batches/{id_}/decisions", json=decision).is_success
    return id_


@pytest.fixture
def export_csv(client):
    """Export a batch; return the rows of the CSV file by their names."""

    def export(batch, **body):
        response = client.post(f"{API}/batches/{batch}/exports", json={"format": "csv", **body})
        assert response.status_code == 200, response.text
        return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))

    return export
