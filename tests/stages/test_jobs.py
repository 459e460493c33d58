"""The jobs of a real service, in a process of its own that is killed again and again."""

import json
import random
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager

import httpx
import pytest

from hangtag.bundle.file import write_bundle
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

PHOTOS = 300
KILLS = 3
SERVE = """
import json, sys
from hangtag.server.run import build_settings, run_server
run_server(build_settings(json.loads(sys.argv[1])))
"""


@pytest.fixture
def settings(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "models" / "tiny.onnx")
    return {
        "port": 0,
        "data_folder": str(tmp_path / "data"),
        "models": str(tmp_path / "models"),
        "model": "tiny",
        "precision": "fp32",
    }


@pytest.fixture
def archive(tmp_path):
    """A zip of many photos, large enough that labelling them takes a while, and some that are broken."""
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        for number in range(PHOTOS):
            broken = number % 50 == 7
            archive.writestr(f"{number:04}.png", b"broken" if broken else draw_png(number, (450, 600)))
    return tmp_path / "shop.zip"


@contextmanager
def serve(settings):
    """Run the service while the block runs; it is then killed, unless it has ended by itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, json.dumps(settings)], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        assert "http://" in line, line
        with httpx.Client(base_url=f"{line.split()[-1]}/api/v1", timeout=60) as client:
            yield client, process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def start_job(client, archive):
    with archive.open("rb") as file:
        response = client.post("/jobs", files={"files": ("shop.zip", file)})
    assert response.status_code == 202, response.text
    return response.json()["id"]


def watch(client, job_id):
    """Return the states of a job that its events tell."""
    with client.stream("GET", f"/jobs/{job_id}/events") as stream:
        return [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]


def results(client, job_id):
    found = client.get(f"/jobs/{job_id}/results", params={"limit": 500}).json()
    assert found["total"] == len(found["results"])
    return found["results"]


def wait_for_progress(client, job_id, done):
    """Wait until more photos are done than were, and a moment longer."""
    deadline = time.monotonic() + 120
    while (job := client.get(f"/jobs/{job_id}").json())["done"] <= done and job["state"] != "done":
        assert time.monotonic() < deadline, job
        time.sleep(0.005)
    time.sleep(random.uniform(0, 0.15))
    return job["done"]


def test_a_job_survives_being_killed_at_any_moment(settings, archive):
    with serve(settings) as (client, _):
        job_id = start_job(client, archive)
    kills = [0]
    while len(kills) <= KILLS:
        with serve(settings) as (client, _):
            kills.append(wait_for_progress(client, job_id, kills[-1]))
    with serve(settings) as (client, _):
        seen = watch(client, job_id)
        interrupted = results(client, job_id)
        whole = watch(client, start_job(client, archive))[-1]
        expected = results(client, whole["id"])
    assert 0 < kills[1] < PHOTOS
    assert kills[-1] <= seen[0]["done"]
    assert (seen[-1]["state"], seen[-1]["done"], seen[-1]["failed"]) == ("done", PHOTOS, PHOTOS // 50)
    assert [result["position"] for result in interrupted] == list(range(PHOTOS))
    assert interrupted == expected


def test_a_stop_finishes_the_batch_and_ends_the_streams(settings, archive):
    with serve(settings) as (client, process):
        job_id = start_job(client, archive)
        with client.stream("GET", f"/jobs/{job_id}/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 1000"
            process.send_signal(signal.SIGTERM)
            assert [line for line in lines if line.startswith("data: ")]
        assert process.wait(timeout=60) == 0
    with serve(settings) as (client, _):
        assert watch(client, job_id)[-1]["done"] == PHOTOS


def test_two_services_do_not_share_a_folder(settings):
    with serve(settings):
        other = subprocess.run(
            [sys.executable, "-c", SERVE, json.dumps(settings)], capture_output=True, text=True, check=False
        )
    assert other.returncode != 0
    assert "another `hangtag serve` is using this data folder" in other.stderr + other.stdout
