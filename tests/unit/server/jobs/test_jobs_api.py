import csv
import io
import json

import openpyxl
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from conftest import build_zip
from hangtag.server.app import create_app

API = "/api/v1"


def test_photos_become_results_in_their_order(run, results, photos):
    job = run(*photos.items(), title="Autumn", model="tiny")
    assert (job["title"], job["state"], job["total"], job["done"], job["failed"]) == (
        "Autumn",
        "done",
        12,
        12,
        0,
    )
    assert job["model"] == {"id": "tiny", "version": "1", "name": "tiny"}
    assert job["created"] <= job["started"] <= job["finished"]
    assert job["seconds_left"] is None
    found = results(job["id"])
    assert [result["photo"] for result in found] == sorted(photos)
    assert [result["position"] for result in found] == list(range(12))


def test_a_result_says_what_a_prediction_says(client, run, results, photos):
    job = run(*photos.items())
    response = client.post(
        f"{API}/predictions",
        files=[("photos", (name, data, "image/png")) for name, data in photos.items()],
    )
    for result, answer in zip(results(job["id"]), response.json()["photos"], strict=True):
        assert result["path"] == answer["path"]
        assert result["doubtful"] == answer["doubtful"]
        for column, label in answer["labels"].items():
            assert result["labels"][column]["value"] == label["value"]
            assert result["labels"][column]["confidence"] == pytest.approx(label["confidence"], abs=1e-5)
