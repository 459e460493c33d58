import io
import struct
import zlib

import pytest

from fakes import answer
from hangtag.imaging.preprocess import prepare_photo
from hangtag.inference.model import load_model
from tiny_bundle import TINY_HEADS, draw_png

PREDICTIONS = "/api/v1/predictions"
COMPARE = "/api/v1/predictions/compare"


def post(client, photos, **fields):
    files = [("photos", (name, data, "image/png")) for name, data in photos.items()]
    return client.post(PREDICTIONS, files=files, data=fields)


def bomb():
    """A PNG of a few bytes that says that it is 40,000 pixels on each side."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64))


def test_the_answers_are_those_of_the_model(client, models):
    photos = {f"{number}.png": draw_png(number) for number in range(20)}
    body = post(client, photos, top_k=3).json()
    assert body["model"] == {"id": "tiny", "version": "1", "name": "tiny"}
    assert body["latency_ms"] > 0
    model = load_model(models / "tiny.onnx", precision="fp32")
    expected = model.predict(list(photos.values())).rows(3)
    assert [answer["photo"] for answer in body["photos"]] == list(photos)
    for described, prediction in zip(body["photos"], expected, strict=True):
        assert described["status"] == "labelled"
        assert tuple(described["path"]) == prediction.path
        assert described["probabilities"] is None
        for column, candidates in prediction.candidates.items():
            chosen = described["labels"][column]
            assert chosen["value"] == chosen["candidates"][0]["value"] == candidates[0].value
            assert chosen["confidence"] == pytest.approx(candidates[0].confidence)
            assert [one["value"] for one in chosen["candidates"]] == [one.value for one in candidates]


def test_all_probabilities_are_given_on_request(client):
    (answer,) = post(client, {"a.png": draw_png(1)}, probabilities="true").json()["photos"]
    for column, classes in TINY_HEADS.items():
        labels = answer["probabilities"][column]
        confidences = [label["confidence"] for label in labels]
        assert {label["value"] for label in labels} == set(classes)
        assert confidences == sorted(confidences, reverse=True)
        assert sum(confidences) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_doubtful_labels_are_named(open_client, threshold):
    client = open_client(doubt_threshold=threshold, doubt_threshold_category=threshold)
    (answer,) = post(client, {"a.png": draw_png(1)}).json()["photos"]
    assert answer["doubtful"] == (list(TINY_HEADS) if threshold else [])


def test_a_bad_photo_is_an_answer_beside_the_good_ones(open_client):
    client = open_client(max_file_bytes=5000)
    photos = {
        "good.png": draw_png(1),
        "notes.txt": b"hello",
        "empty.png": b"",
        "huge.png": b"\x89PNG" + bytes(6000),
        "bomb.png": bomb(),
        "cut.png": draw_png(2)[:60],
        "also.png": draw_png(3),
    }
    response = post(client, photos)
    assert response.status_code == 200
    answers = response.json()["photos"]
    assert [answer["photo"] for answer in answers] == list(photos)
    assert [answer.get("reason", "labelled") for answer in answers] == [
        "labelled",
        "not_a_photo",
        "empty",
        "too_many_bytes",
        "too_many_pixels",
        "truncated",
        "labelled",
    ]
    assert all(answer["detail"] for answer in answers if answer["status"] == "failed")


def test_a_request_of_bad_photos_only_is_answered(client):
    answers = post(client, {"a": b"x", "b": b"y"}).json()["photos"]
    assert [answer["status"] for answer in answers] == ["failed", "failed"]


def test_no_name_of_a_file_does_harm(client, tmp_path):
    names = ["../../etc/passwd", "a\r\nSet-Cookie: x", "\x1b[2J.png", "ü" * 1200, "CON"]
    files = [("photos", (name, draw_png(1), "image/png")) for name in names]
    response = client.post(PREDICTIONS, files=files)
    shown = [answer["photo"] for answer in response.json()["photos"]]
    assert len(shown) == len(names)
    assert shown[0] == "../../etc/passwd"  # it is only shown
    assert all(name.isprintable() and len(name) <= 1000 for name in shown)
    assert not any(path.name in names for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"top_k": "0"}, "top_k"),
        ({"top_k": "many"}, "top_k"),
        ({"probabilities": "perhaps"}, "probabilities"),
        ({"topk": "3"}, "topk"),
        ({"top_k": ["3", "4"]}, "top_k"),
    ],
)
def test_a_value_that_cannot_be_is_named(client, fields, field):
    response = post(client, {"a.png": draw_png(1)}, **fields)
    problem = response.json()
    assert response.status_code == problem["status"] == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "validation"
    assert field in [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (b'name="model"\r\n\r\ntiny', "photos"),
        (b'name="photos"\r\n\r\ntext', "photos.0"),
        (b'name="photos"; filename=""\r\n\r\n', "photos"),  # what a page sends when no file was chosen
    ],
)
def test_a_request_without_photos_is_refused(client, part, field):
    body = b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n--b--\r\n"
    response = client.post(
        PREDICTIONS, content=body, headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{}", {"content-type": "application/json"}, 415, "unsupported_media"),
        (b"x", {}, 415, "unsupported_media"),
        (b"x", {"content-type": "multipart/form-data"}, 415, "unsupported_media"),
        (b"nonsense", {"content-type": "multipart/form-data; boundary=b"}, 422, "validation"),
        (b"--b\r\n\r\n", {"content-type": "multipart/form-data; boundary=b"}, 422, "validation"),
    ],
)
def test_a_body_that_is_no_form_is_refused(client, content, headers, status, code):
    response = client.post(PREDICTIONS, content=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_an_unknown_model_is_not_found(client):
    response = post(client, {"a.png": draw_png(1)}, model="nix")
    assert (response.status_code, response.json()["code"]) == (404, "model_not_found")


def test_too_many_files_are_refused(open_client):
    client = open_client(max_files=2)
    response = post(client, {f"{number}.png": draw_png(number) for number in range(3)})
    assert (response.status_code, response.json()["code"]) == (413, "too_many_files")


def test_a_body_that_says_that_it_is_too_large_is_refused_unread(open_client):
    client = open_client(max_request_bytes=1000)
    response = post(client, {"a.png": bytes(5000)})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_a_body_that_does_not_say_its_size_is_cut_off_at_the_limit(open_client):
    client = open_client(max_request_bytes=100_000)
    sent = []

    def body():
        yield b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\n'
        for number in range(1000):
            sent.append(number)
            yield bytes(10_000)

    response = client.post(
        PREDICTIONS, content=body(), headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_uploads_have_one_budget_of_memory(open_client):
    client = open_client(max_upload_memory_bytes=1000)
    response = post(client, {"a.png": bytes(2000)})
    assert (response.status_code, response.json()["code"]) == (503, "queue_full")
    assert response.headers["retry-after"] == "1"
    assert post(client, {"a.png": draw_png(1)}).status_code == 200  # what was held is released


def test_one_photo_is_shown_to_several_models(client):
    files = {"photo": ("a.png", draw_png(1), "image/png")}
    answers = client.post(COMPARE, files=files).json()["answers"]
    ids = [answer["model"]["id"] for answer in answers]
    assert ids[0] == "tiny"
    assert {"tiny", "other", "default"} <= set(ids)
    body = client.post(COMPARE, files=files, data={"models": ["other", "tiny", "other"], "top_k": "1"}).json()
    assert [answer["model"]["id"] for answer in body["answers"]] == ["other", "tiny"]
    assert body["photo"] == "a.png"
    assert all(len(label["candidates"]) == 1 for label in body["answers"][0]["answer"]["labels"].values())
    response = client.post(COMPARE, files=files, data={"models": ["tiny", "nix"]})
    assert (response.status_code, response.json()["code"]) == (404, "model_not_found")


def test_a_photo_that_is_held_is_the_photo_that_was_sent(client, models):
    png = draw_png(5, size=(240, 320))
    assert len(png) > 0
    (photo,) = post(client, {"a.png": png}).json()["photos"]
    model = load_model(models / "tiny.onnx", precision="fp32")
    found = answer(model, prepare_photo(io.BytesIO(png).read(), model.card.preprocessing)[None])
    index = int(found.label_indices["gender"][0])
    assert photo["labels"]["gender"]["value"] == TINY_HEADS["gender"][index]
