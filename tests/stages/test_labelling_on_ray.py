"""`hangtag predict --engine ray` on a real cluster of several node processes, whose workers and nodes are killed."""

import csv
import importlib.util
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter

import pytest

from hangtag.bundle.file import write_bundle
from ray_nodes import start_nodes
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra `ray`"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a cluster in /proc"),
]

PHOTOS = 240
DIFFERENT = 20
NODES = 2
CHUNK = 16
SOME_FAILED = 3
PATIENCE_S = 600


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A folder with a model, photos of which some are broken, a zip, and a table that names one that is not there."""
    folder = tmp_path_factory.mktemp("material")
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), folder / "tiny.onnx")
    (folder / "photos").mkdir()
    for number in range(PHOTOS):
        path, first = (folder / "photos" / f"{n:04}.png" for n in (number, number % DIFFERENT))
        if number < DIFFERENT:
            path.write_bytes(b"broken" if number == 7 else draw_png(number, (600, 800)))
        else:
            path.hardlink_to(first)
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.png", draw_png(number))
    (folder / "products.csv").write_text("path,price\nphotos/0001.png,5\nnone.png,7\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def cluster():
    """A head without processors, and nodes with one each."""
    nodes = start_nodes(NODES)
    if nodes is None:
        pytest.skip("Ray does not come to stand on this machine")
    with nodes:
        yield nodes


def predict(folder, output, *options):
    """Start labelling everything that is in a folder."""
    inputs = ["photos", "more.zip", "products.csv", "--model", "tiny.onnx"]
    settings = ["--precision", "fp32", "--threads", "1", "--output", str(output)]
    return subprocess.Popen(
        [sys.executable, "-m", "hangtag.cli.main", "predict", *inputs, *settings, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def start(material, tmp_path, cluster):
    """Start labelling everything into an output in the test's folder, on the cluster or in one process."""

    def start(output, *options, ray=True):
        engine = ["--engine", "ray", "--address", cluster.address, "--chunk", str(CHUNK)] if ray else []
        return predict(material, f"{tmp_path}/{output}", *engine, *options)

    return start


@pytest.fixture(scope="module")
def expected(material, tmp_path_factory):
    """The table that one process makes."""
    path = tmp_path_factory.mktemp("expected") / "labels.csv"
    finish(predict(material, path))
    return read(path)


def finish(process):
    """Let a run end by itself, and return what it said."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == SOME_FAILED, err
    return out


def read(path):
    """Return the rows of a table in their order."""
    with path.open(newline="", encoding="utf-8") as file:
        return [tuple(row.items()) for row in csv.DictReader(file)]


def size_of(job):
    """Return how many bytes of rows there are."""
    return sum(path.stat().st_size for path in job.glob("*part-*"))


def wait_for_rows(process, job, more_than=0):
    """Wait until a run has written rows."""
    while size_of(job) <= more_than:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def test_a_worker_and_a_node_that_are_lost_lose_nothing(start, tmp_path, cluster, expected):
    assert len(expected) == PHOTOS + 5
    process = start("labels.csv")
    wait_for_rows(process, tmp_path / ".labels.csv.job")
    workers = cluster.find_workers()
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    cluster.kill_node()
    assert process.poll() is None
    assert "raylet" not in finish(
        process
    )  # what Ray has to say of it does not go into a table on standard output
    assert read(tmp_path / "labels.csv") == expected  # in their order, too


def test_a_job_goes_on_from_engine_to_engine_when_its_driver_is_killed(start, tmp_path, expected):
    job = tmp_path / ".labels.csv.job"
    for ray in (True, False):
        before = size_of(job)
        process = start("labels.csv", "--resume", ray=ray)
        wait_for_rows(process, job, before)
        process.kill()
        process.communicate()
    out = finish(start("labels.csv", "--resume"))
    assert "of them earlier" in out
    assert Counter(read(tmp_path / "labels.csv")) == Counter(expected)
