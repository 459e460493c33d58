"""`hangtag doctor` on a sound installation, and on broken ones."""

import json
import resource
import sqlite3
import subprocess
import sys

import pytest
from PIL import Image

from hangtag.bundle.file import write_bundle
from hangtag.pipelines import doctor as pipeline
from hangtag.store.database import open_database, sqlite_url
from tiny_bundle import build_tiny_card, build_tiny_graph


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder with the bundle `tiny`, which the environment names."""
    folder = tmp_path / "models"
    folder.mkdir()
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph, name="tiny"), folder / "tiny.onnx")
    monkeypatch.setenv("HANGTAG_MODELS", str(folder))
    monkeypatch.setenv("HANGTAG_MODEL", "tiny")
    monkeypatch.delenv("HANGTAG_DATA", raising=False)
    return folder


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A closed data folder with an up-to-date database."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    open_database(sqlite_url(folder / "hangtag.db")).dispose()
    for path in folder.iterdir():
        path.chmod(0o600)
    monkeypatch.setenv("HANGTAG_DATA_FOLDER", str(folder))
    return folder


@pytest.fixture
def sound(models, data):
    """Everything that a sound installation has."""
    return models, data


@pytest.fixture
def examine(call, sound, monkeypatch):
    """Run the command and return its exit status, and what is wrong by check: level, message and fix."""
    assert all(path.is_dir() for path in sound)
    monkeypatch.setattr(
        pipeline, "_check_other_models", lambda *_: iter(())
    )  # the shipped ones take a second

    def examine():
        status, out, _ = call("doctor", "--json")
        found = json.loads(out)
        assert all(finding["fix"] for finding in found if finding["level"] != "ok"), found
        bad = {finding["check"]: finding for finding in found if finding["level"] != "ok"}
        return status, {name: finding for name, finding in bad.items() if name not in {"page", "extra serve"}}

    return examine


def test_a_sound_installation(examine):
    assert examine() == (0, {})


def test_the_table_shows_every_check_and_what_to_do(call, sound, monkeypatch):
    assert sound
    monkeypatch.setenv("HANGTAG_MODEL", "tinny")
    status, out, _ = call("doctor")
    assert status == 1
    rows = [line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")]
    assert {"Python", "packages", "runtime", "model", "decoders", "disk", "memory"} <= set(rows)
    assert "→ Did you mean tiny?" in out
    assert "1 error, " in out


def test_a_truncated_model(examine, models):
    path = models / "tiny.onnx"
    path.write_bytes(path.read_bytes()[:-500])
    status, bad = examine()
    assert (status, list(bad)) == (1, ["model"])
    assert str(path) in bad["model"]["message"]


def test_a_data_folder_that_is_a_file(examine, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HANGTAG_DATA_FOLDER", str(tmp_path / "file"))
    status, bad = examine()
    assert status == 1
    assert "is a file" in bad["data folder"]["message"]
    monkeypatch.setenv("HANGTAG_DATA_FOLDER", str(tmp_path / "file" / "below"))
    status, bad = examine()
    assert status == 1
    assert "cannot be created" in bad["data folder"]["message"]


def test_a_data_folder_that_others_can_read(examine, data):
    data.chmod(0o755)
    (data / "hangtag.db").chmod(0o644)
    status, bad = examine()
    assert (status, list(bad)) == (0, ["data folder"])
    assert bad["data folder"]["fix"] == f"Run `chmod 600 {data / 'hangtag.db'}`."


def test_a_damaged_database(examine, data):
    path = data / "hangtag.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[12288:])
    status, bad = examine()
    assert (status, list(bad)) == (1, ["database"])
    path.write_bytes(b"this is no database at all" * 400)
    status, bad = examine()
    assert (status, list(bad)) == (1, ["database"])
    assert "Restore a backup" in bad["database"]["fix"]


def test_a_database_of_a_newer_version(examine, data):
    with sqlite3.connect(data / "hangtag.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    status, bad = examine()
    assert (status, list(bad)) == (1, ["database"])
    assert "newer" in bad["database"]["message"]


def test_a_postgres_that_does_not_answer(examine, monkeypatch):
    monkeypatch.setenv("HANGTAG_DATABASE_URL", "postgresql://hangtag:secret@127.0.0.1:1/hangtag")
    status, bad = examine()
    assert (status, list(bad)) == (1, ["database"])
    assert "HANGTAG_DATABASE_URL" in bad["database"]["fix"]
    assert "secret" not in str(bad)


def test_a_service_behind_a_proxy_without_accounts(examine, monkeypatch):
    monkeypatch.setenv("HANGTAG_ALLOWED_HOSTS", "tags.shop.example")
    status, bad = examine()
    assert (status, list(bad)) == (0, ["settings"])
    monkeypatch.setenv("HANGTAG_ACCOUNTS", "on")
    assert examine() == (0, {})


def test_a_wrong_and_a_misspelt_setting(examine, monkeypatch):
    monkeypatch.setenv("HANGTAG_ALOWED_HOSTS", "shop.example")
    status, bad = examine()
    assert (status, list(bad)) == (0, ["settings"])
    assert "Did you mean HANGTAG_ALLOWED_HOSTS?" in bad["settings"]["fix"]
    monkeypatch.setenv("HANGTAG_PORT", "eighty")
    status, bad = examine()
    assert (status, list(bad)) == (1, ["settings"])
    assert bad["settings"]["message"].startswith("port: ")


def test_a_missing_package_and_one_that_is_too_old(examine, monkeypatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    versions = pipeline.metadata.version
    monkeypatch.setattr(
        pipeline.metadata, "version", lambda name: "0.1" if name == "rich" else versions(name)
    )
    status, bad = examine()
    assert (status, list(bad)) == (1, ["packages"])
    assert "xlsxwriter is not installed" in bad["packages"]["message"]
    assert "rich 0.1 is older than" in bad["packages"]["message"]


def test_a_missing_runtime(examine, monkeypatch):
    def break_runtime():
        raise ImportError("libopenvino.so: cannot open shared object file")

    monkeypatch.setattr("hangtag.inference.runtime.load_runtime", break_runtime)
    monkeypatch.setattr(pipeline, "_check_model", lambda *_: iter(()))
    status, bad = examine()
    assert (status, list(bad)) == (1, ["runtime"])
    assert "libopenvino.so" in bad["runtime"]["message"]


def test_a_missing_decoder(examine, monkeypatch):
    Image.init()
    monkeypatch.delitem(Image.OPEN, "WEBP")
    status, bad = examine()
    assert (status, list(bad)) == (1, ["decoders"])
    assert bad["decoders"]["message"] == "not readable here: WEBP"


def test_too_few_open_files_and_too_little_memory(examine, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setenv("HANGTAG_MAX_UPLOAD_MEMORY_BYTES", str(10**15))
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        status, bad = examine()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (status, sorted(bad)) == (0, ["memory", "open files"])


def test_a_full_disk(examine, monkeypatch):
    class Usage:
        free = 1_000_000

    monkeypatch.setattr("hangtag.server.doctor.shutil.disk_usage", lambda _: Usage)
    status, bad = examine()
    assert (status, list(bad)) == (1, ["disk"])


def test_it_does_not_let_a_telemetry_client_in():
    """`import openvino` would, and it would call home."""
    script = "import sys; from hangtag.pipelines.doctor import diagnose\n"
    script += "assert all(found.level != 'error' for found in diagnose()), 'something is wrong'\n"
    script += "print([name for name in sys.modules if 'openvino' in name and 'telemetry' in name])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
