import asyncio
import base64
import io
import threading

import numpy as np
import pytest
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.inference.model import load_model
from hangtag.server import explanations
from hangtag.server.explanations import ExplanationQueue
from hangtag.server.problems import QueueFullError, ShuttingDownError
from hangtag.server.upload_memory import UploadedPhoto, UploadMemory
from tiny_bundle import TINY_HEADS, draw_png

EXPLANATIONS = "/api/v1/explanations"
PREDICTIONS = "/api/v1/predictions"


def explain(client, data=None, **fields):
    photo = draw_png(1, (240, 180)) if data is None else data
    return client.post(EXPLANATIONS, files={"photo": ("shirt.png", photo, "image/png")}, data=fields)


def picture_of(label):
    start, _, encoded = label["image"].partition(",")
    assert start == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
        image.load()
        return image


def test_the_usual_labels_have_a_picture_each(client):
    response = explain(client)
    assert response.status_code == 200
    body = response.json()
    assert (body["photo"], body["status"], body["model"]["id"]) == ("shirt.png", "explained", "tiny")
    assert body["latency_ms"] > 0
    assert (body["width"], body["height"]) == (240, 180)
    assert [label["column"] for label in body["labels"]] == ["masterCategory", "articleType"]
    for label in body["labels"]:
        assert label["method"] == "occlusion"
        assert picture_of(label).size == (240, 180)


def test_they_are_the_labels_that_are_predicted(client):
    files = [("photos", ("shirt.png", draw_png(1, (240, 180)), "image/png"))]
    (predicted,) = client.post(PREDICTIONS, files=files).json()["photos"]
    for label in explain(client, columns=list(TINY_HEADS)).json()["labels"]:
        chosen = predicted["labels"][label["column"]]
        assert label["value"] == chosen["value"]
        assert label["confidence"] == pytest.approx(chosen["confidence"], abs=1e-6)


def test_columns_and_the_model_can_be_chosen(client):
    body = explain(client, columns=["gender"], model="other").json()
    assert body["model"]["id"] == "other"
    assert [label["column"] for label in body["labels"]] == ["gender"]


def test_a_large_photo_is_shown_smaller(client):
    body = explain(client, draw_png(2, (600, 1200))).json()
    assert (body["width"], body["height"]) == (256, 512)
    assert picture_of(body["labels"][0]).size == (256, 512)


def test_the_pictures_are_of_the_photo(client):
    """A photo turned by its EXIF block is shown upright, and its own shapes stay visible."""
    image = Image.new("RGB", (120, 60), "white")
    image.paste("black", (0, 0, 30, 60))
    turned = Image.Exif()
    turned[274] = 6  # stored lying: its left side is the upper one
    file = io.BytesIO()
    image.save(file, "JPEG", exif=turned)
    body = explain(client, file.getvalue()).json()
    assert (body["width"], body["height"]) == (60, 120)
    shown = np.asarray(picture_of(body["labels"][0]).convert("L"), int)
    assert shown[100].min() - shown[10].min() > 40


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"columns": ["season"]}, 404, "not_found"),
        ({"model": "nobody"}, 404, "model_not_found"),
        ({"colour": "red"}, 422, "validation"),
    ],
)
def test_what_cannot_be_asked_is_a_problem(client, fields, status, code):
    response = explain(client, **fields)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code


@pytest.mark.parametrize("data", [b"hello", b"", draw_png(2)[:60]])
def test_a_bad_photo_has_its_reason_as_when_it_is_labelled(client, data):
    response = explain(client, data)
    assert response.status_code == 200
    (predicted,) = client.post(PREDICTIONS, files=[("photos", ("shirt.png", data))]).json()["photos"]
    assert response.json() == predicted
    assert predicted["status"] == "failed"


def test_a_photo_is_needed(client):
    response = client.post(EXPLANATIONS, data={"model": "tiny"}, files={"other": ("", b"")})
    assert response.status_code == 422


def test_the_limits_of_predictions_hold(open_client):
    client = open_client(max_file_bytes=500, max_request_bytes=100_000)
    assert explain(client, b"\x89PNG" + bytes(600)).json()["reason"] == "too_many_bytes"
    assert explain(client, bytes(200_000)).status_code == 413


def upload(data):
    photo = UploadedPhoto("a.png", 10**6, UploadMemory(10**6))
    photo.write(data)
    photo.close()
    return photo


@pytest.fixture
def slow_explainer(monkeypatch):
    """Photos are explained when the event is set, and not before."""
    go = threading.Event()

    class Slow(explanations.Explainer):
        def explain(self, *arguments, **names):
            assert go.wait(30)
            return super().explain(*arguments, **names)

    monkeypatch.setattr(explanations, "Explainer", Slow)
    return go


def test_too_many_are_sent_away_and_the_rest_is_finished(models, slow_explainer, monkeypatch):
    monkeypatch.setattr(explanations, "MAX_WAITING", 3)
    model = load_model(models / "tiny.onnx", precision="fp32", threads=1)

    async def ask():
        room = ExplanationQueue(DEFAULT_LIMITS)
        tasks = [asyncio.create_task(room.explain(model, upload(draw_png(1)), None)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await room.explain(model, upload(draw_png(1)), None)
        slow_explainer.set()
        found = await asyncio.gather(*tasks)
        with pytest.raises(PhotoError):
            await room.explain(model, upload(b"none"), None)
        room.close()
        with pytest.raises(ShuttingDownError):
            await room.explain(model, upload(draw_png(1)), None)
        return found

    assert [len(one.labels) for one in asyncio.run(ask())] == [2, 2, 2]
