"""What `/readyz` and the routes say when the database, the data folder, the disk or a model's file fails."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from fakes import encode, paint
from hangtag.server import health
from hangtag.server.service import find_service
from hangtag.store import database
from tiny_bundle import draw_png

API = "/api/v1"
UNSHARE = shutil.which("unshare")
TESTS = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch):
    monkeypatch.setattr(health, "FRESH_S", 0.0)
    monkeypatch.setattr(health, "_LOCK_MS", 20)
    pragmas = [pragma for pragma in database.PRAGMAS if "busy" not in pragma]
    monkeypatch.setattr(database, "PRAGMAS", (*pragmas, "PRAGMA busy_timeout = 20"))
    monkeypatch.setattr(database, "_USUAL_WAIT", "PRAGMA busy_timeout = 20")


@pytest.fixture
def client(open_client):
    client = open_client()
    assert client.get("/readyz").status_code == 200
    return client


@pytest.fixture
def file(client):
    return find_service(client.app).settings.data_folder / "hangtag.db"


def make(client, name="Spring"):
    return client.post(f"{API}/batches", json={"name": name})


def check_refused(client, code, status=503):
    """Check that neither `/readyz` nor a change says anything else, and that both say what to do."""
    for response in (client.get("/readyz"), make(client)):
        assert (response.json()["code"], response.headers["content-type"]) == (
            code,
            "application/problem+json",
        )
        assert response.json()["fix"]
    assert make(client).status_code == status


def test_a_removed_database_is_told_and_used_again_once_it_is_back(client, file):
    kept = make(client, "kept").json()["id"]
    away = file.with_suffix(".away")
    file.rename(away)
    check_refused(client, "database_unavailable")
    assert not file.exists()
    file.write_bytes(b"")  # another file in its place is no better
    check_refused(client, "database_unavailable")
    away.rename(file)
    assert client.get("/readyz").status_code == 200
    assert client.get(f"{API}/batches/{kept}").json()["name"] == "kept"


def test_a_locked_database_is_told_and_may_still_be_read(client, file):
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        check_refused(client, "database_busy")
        assert make(client).headers["retry-after"] == "1"
        assert client.get(f"{API}/batches").status_code == 200
        other.execute("ROLLBACK")
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("place", [0, 4096])
def test_a_damaged_database_is_told(client, file, place):
    for number in range(3):
        make(client, str(number))
    find_service(client.app).batches.store.engine.dispose()
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("rb+") as opened:
        opened.seek(place)
        opened.write(b"\xa5" * (file.stat().st_size - place))
    check_refused(client, "database_damaged")


def test_a_folder_that_cannot_be_written_is_told(client, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "data_folder")


def test_a_database_that_does_not_answer_is_told(client, monkeypatch):
    monkeypatch.setattr(health, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(health.Health, "_look", lambda _: time.sleep(0.2))
    response = client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")


def test_a_model_whose_file_goes_or_breaks_goes_on_and_is_told(open_client, models, tmp_path):
    path = Path(shutil.copy(models / "tiny.onnx", tmp_path / "mine.onnx"))
    client = open_client(models=str(tmp_path), model="mine")
    photos = [("photos", ("a.png", draw_png(1), "image/png"))]

    def answer():
        response = client.post(f"{API}/predictions", files=photos)
        assert response.status_code == 200, response.text
        return response.json()["model"]["version"]

    assert answer() == "1"
    path.unlink()
    assert answer() == "1"
    response = client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "bundle")
    assert "missing" in response.json()["detail"]
    path.write_bytes((models / "other.onnx").read_bytes()[:5000])
    assert [answer() for _ in range(2)] == ["1", "1"]
    assert "cannot be used" in client.get("/readyz").json()["detail"]
    assert make(client).status_code == 201
    Path(shutil.copy(models / "other.onnx", tmp_path / "new")).replace(path)
    assert answer() == "2"
    assert client.get("/readyz").status_code == 200


def test_an_upload_that_fails_leaves_no_photo_behind(client, monkeypatch):
    batch = make(client).json()["id"]

    def fail(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hangtag.server.batch_service.take_files", fail)
    photo = encode(paint("Red"))
    response = client.post(f"{API}/batches/{batch}/files", files=[("files", ("a.png", photo))])
    assert (response.status_code, response.json()["code"]) == (507, "disk_full")
    folder = find_service(client.app).batches.store.folder
    assert list(folder.iter_hashes()) == []
    assert list(folder.incoming.iterdir()) == []


@pytest.mark.skipif(UNSHARE is None, reason="needs unshare")
def test_a_full_disk_refuses_and_loses_nothing_and_lets_batches_be_deleted(tmp_path, models):
    mount = "mount -t tmpfs -o size=40m none"
    probe = subprocess.run([UNSHARE, "-rm", "sh", "-c", f"{mount} {tmp_path}"], check=False)
    if probe.returncode:
        pytest.skip("no file system may be mounted here")
    script = f'{mount} {tmp_path} && exec "{sys.executable}" "{TESTS / "full_disk.py"}" {tmp_path} {models}'
    done = subprocess.run([UNSHARE, "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
