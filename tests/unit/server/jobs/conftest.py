"""A service with a tiny model, and the photos that its jobs are given."""

import io
import time
import zipfile

import pytest
from fastapi.testclient import TestClient

from hangtag.bundle.file import write_bundle
from hangtag.server.app import create_app
from hangtag.server.settings import Settings
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

API = "/api/v1"


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with the bundle `tiny`."""
    folder = tmp_path_factory.mktemp("models")
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), folder / "tiny.onnx")
    return folder


@pytest.fixture
def settings(models, tmp_path):
    return Settings(
        data_folder=tmp_path / "data", models=str(models), model="tiny", precision="fp32", catalogue=None
    )


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def photos():
    """Twelve photos by name."""
    return {f"{number:03}.png": draw_png(number) for number in range(12)}


@pytest.fixture
def send(client):
    """Start a job from files, given as (name, bytes), and return the response."""

    def send(*files, **fields):
        parts = [("files", (name, data, "application/octet-stream")) for name, data in files]
        return client.post(f"{API}/jobs", files=parts, data=fields)

    return send


@pytest.fixture
def finish(client):
    """Wait until a job has ended and return it."""

    def finish(job_id):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            job = client.get(f"{API}/jobs/{job_id}").json()
            if job["state"] not in {"queued", "running"}:
                return job
            time.sleep(0.02)
        raise AssertionError(f"the job did not end: {job}")

    return finish


@pytest.fixture
def run(send, finish):
    """Start a job, wait until it has ended and return it."""

    def run(*files, **fields):
        response = send(*files, **fields)
        assert response.status_code == 202, response.text
        return finish(response.json()["id"])

    return run


@pytest.fixture
def results(client):
    """Return the results of a job, by what is asked for."""

    def results(job_id, **wanted):
        response = client.get(f"{API}/jobs/{job_id}/results", params={"limit": 500, **wanted})
        assert response.status_code == 200, response.text
        return response.json()["results"]

    return results


@pytest.fixture
def zipped():
    """Return the bytes of a zip of files by name."""

    def build(files, method=zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return buffer.getvalue()

    return build
