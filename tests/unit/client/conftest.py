"""A client of a real service with a tiny model."""

import httpx
import pytest
from fastapi.testclient import TestClient

from hangtag.bundle.file import write_bundle
from hangtag.client import Client
from hangtag.server.app import create_app
from hangtag.server.settings import Settings
from migrated import _begin_migrated  # noqa: F401 - a fixture of all tests here
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of a real service, which it reaches without a network."""
    folder = tmp_path_factory.mktemp("service")
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), folder / "tiny.onnx")
    settings = Settings(
        models=str(folder), model="tiny", precision="fp32", data_folder=folder / "data", catalogue=None
    )
    with TestClient(create_app(settings)) as service:

        def pass_on(request):
            answer = service.request(
                request.method,
                str(request.url),
                content=request.read(),
                headers=dict(request.headers) | {"accept-encoding": "identity"},
            )
            return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)

        with Client("http://testserver", transport=httpx.MockTransport(pass_on)) as client:
            yield client


@pytest.fixture
def photos(tmp_path):
    """Three files: two photos and none."""
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.txt")]
    for number, path in enumerate(paths):
        path.write_bytes(draw_png(number) if path.suffix == ".png" else b"none")
    return paths
