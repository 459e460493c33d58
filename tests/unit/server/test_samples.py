import io

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from hangtag.server.problems import add_problem_handlers
from hangtag.server.routes import samples


@pytest.fixture
def client():
    app = FastAPI()
    app.include_router(samples.router)
    add_problem_handlers(app)
    return TestClient(app)


def test_every_sample_that_is_listed_is_a_photo(client):
    names = client.get("/samples").json()["photos"]
    assert "tshirt.png" in names
    for name in names:
        reply = client.get(f"/samples/{name}")
        assert reply.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(reply.content)).size == (240, 320)


@pytest.mark.parametrize("name", ["nothing.png", "..%2F..%2Fpyproject.toml", "tshirt"])
def test_there_is_no_other_sample(client, name):
    reply = client.get(f"/samples/{name}")
    assert reply.status_code == 404
