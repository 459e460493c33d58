"""A service with a tiny model."""

import pytest
from fastapi.testclient import TestClient

from hangtag.bundle.file import write_bundle
from hangtag.server.app import create_app
from hangtag.server.settings import Settings
from tiny_bundle import build_tiny_card, build_tiny_graph

API = "/api/v1"


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
