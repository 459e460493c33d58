import json

import pytest

from hangtag.bundle.file import write_bundle
from hangtag.cli.main import main
from hangtag.inference.model import load_model
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

pytestmark = pytest.mark.costly


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run `hangtag bench` on a tiny model; return status, output and messages."""
    monkeypatch.setenv("HANGTAG_BENCH", str(tmp_path / "bench.json"))
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")

    def run(*arguments):
        with pytest.raises(SystemExit) as leaving:
            main(["bench", "--model", str(tmp_path / "tiny.onnx"), "--rounds", "1", *arguments])
        captured = capsys.readouterr()
        return leaving.value.code or 0, captured.out, captured.err

    return run


def test_what_is_measured_is_kept_and_used(run, tmp_path):
    status, out, _ = run("--count", "32")
    assert status == 0
    for part in ("reading files", "reading, decoding, preparing", "from files to labels, fp32", "fp32"):
        assert part in out
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert [timing["precision"] for timing in kept["entries"][0]["timings"]].count("fp32") >= 3
    chosen = out.split("auto will use ")[1].split(",")[0]
    engine = load_model(tmp_path / "tiny.onnx").engine
    assert engine.precision == chosen
    assert f"{engine.threads} threads, batches of {engine.batch_size}" in out


def test_with_photos_of_ones_own(run, tmp_path):
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        (tmp_path / "photos" / f"{seed}.png").write_bytes(draw_png(seed))
    status, out, _ = run("--count", "40", "--photos", str(tmp_path / "photos"), "--no-store")
    assert status == 0
    assert "40 photos" in out
    assert not (tmp_path / "bench.json").exists()


def test_a_folder_without_photos(run, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = run("--photos", str(tmp_path / "empty"))
    assert status == 2
    assert "no photo" in err


def test_nothing_is_kept_where_that_is_not_wanted(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HANGTAG_BENCH", "none")
    status, out, _ = run("--count", "32")
    assert status == 0
    assert "HANGTAG_BENCH is none" in out
    assert not (tmp_path / "bench.json").exists()


def test_forgetting(run, tmp_path):
    assert "there are no measurements" in run("--forget")[1]
    run("--count", "32")
    assert "removed" in run("--forget")[1]
    assert not (tmp_path / "bench.json").exists()
