"""The real command, killed again and again at random moments: no row is lost and none is there twice."""

import csv
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hangtag.bundle.file import write_bundle
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

PHOTOS = 120
KILLS = 2
ROWS_A_PART = 30


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A folder with a model, and photos of which some are broken, large enough that labelling them takes a while."""
    folder = tmp_path_factory.mktemp("material")
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), folder / "tiny.onnx")
    (folder / "photos").mkdir()
    for number in range(PHOTOS):
        content = b"broken" if number % 30 == 7 else draw_png(number, (450, 600))
        (folder / "photos" / f"{number:04}.png").write_bytes(content)
    return folder


@pytest.fixture
def start(material, tmp_path):
    """Start labelling into an output, which lies in the test's folder."""

    def start(output, *options):
        command = [sys.executable, "-m", "hangtag.cli.main", "predict", "photos", "--model", "tiny.onnx"]
        settings = ["--precision", "fp32", "--threads", "2", "--rows-per-part", str(ROWS_A_PART)]
        where = ["--output", f"{tmp_path}/{output}"]
        return subprocess.Popen(
            [*command, *settings, *where, *options],
            cwd=material,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def finish(process):
    """Let a run end by itself, and return what it said."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    return out


def read(path):
    """Return how often each row is in an output."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return Counter(tuple(row.items()) for row in csv.DictReader(file))
    return Counter(json.dumps(row) for row in pq.read_table(path).to_pylist())


def has_rows(folder):
    return any(path.stat().st_size for path in folder.glob("*part-*")) if folder.exists() else False


def kill(process):
    process.kill()
    process.communicate(timeout=60)


@pytest.mark.parametrize(
    ("output", "job"), [("labels.csv", ".labels.csv.job"), ("labels/", "labels")], ids=["file", "folder"]
)
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(start, tmp_path, output, job):
    began = time.monotonic()
    finish(start(f"whole{output[6:]}"))
    usual = time.monotonic() - began
    expected = read(tmp_path / f"whole{output[6:]}")
    assert expected.total() == len(expected) == PHOTOS

    process = start(output, "--resume")
    while not has_rows(tmp_path / job):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    kill(process)
    assert has_rows(tmp_path / job)
    dice = random.Random(output)
    for _ in range(KILLS):
        process = start(output, "--resume")
        time.sleep(dice.uniform(0, usual))
        kill(process)
    out = finish(start(output, "--resume"))
    assert "of them earlier" in out
    assert read(tmp_path / output) == expected


def test_what_a_killed_run_has_done_is_not_done_again(start, tmp_path):
    process = start("labels/")
    while not (tmp_path / "labels" / "part-00000.parquet").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    kill(process)
    first = (tmp_path / "labels" / "part-00000.parquet").read_bytes()
    refused = start("labels/")
    _, err = refused.communicate(timeout=60)
    assert refused.returncode == 2
    assert "is not finished. Continue with --resume" in err
    finish(start("labels/", "--resume", "--summary", str(tmp_path / "summary.json")))
    assert (tmp_path / "labels" / "part-00000.parquet").read_bytes() == first
    counts = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert (counts["photos"], counts["failed"]) == (PHOTOS, 4)
    assert ROWS_A_PART <= counts["photos_before"] < PHOTOS


def test_failed_photos_that_were_mended_are_labelled(start, tmp_path, material):
    finish(start("labels.csv"))
    broken = material / "photos" / "0007.png"
    content = broken.read_bytes()
    broken.write_bytes(draw_png(7))
    try:
        out = finish(start("labels.csv", "--retry-failed"))
    finally:
        broken.write_bytes(content)
    assert f"{PHOTOS - 3} of {PHOTOS} photos labelled, 3 not, {PHOTOS - 4} of them earlier" in out
    rows = [dict(row) for row in read(tmp_path / "labels.csv").elements()]
    assert len(rows) == PHOTOS
    assert [row["status"] for row in rows if row["path"].endswith("0007.png")] == ["labelled"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only a process of its own can end without cleaning up")
def test_no_crash_between_two_operations_loses_a_row_or_has_one_twice():
    script = Path(__file__).parents[1] / "crashing_jobs.py"
    done = subprocess.run(
        [sys.executable, script, "1", "12"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 50
