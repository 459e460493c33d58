import httpx
import pytest

from hangtag.client import Client, FailedPhoto, LabelledPhoto
from hangtag.domain.errors import ServiceError, UsageError
from hangtag.domain.reasons import Reason
from tiny_bundle import TINY_HEADS, TINY_TAXONOMY, draw_png

PROBLEM = {"title": "x", "status": 503, "detail": "too busy", "code": "queue_full", "fix": "Wait."}


def answering(*responses):
    """Return a client of a service that answers so, in turn, and the requests that it gets."""
    seen, left = [], list(responses)

    def answer(request):
        seen.append(request)
        response = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(response, Exception):
            raise response
        return response

    return Client(transport=httpx.MockTransport(answer)), seen


def test_a_photo_is_explained(client, photos):
    explained = client.explain(photos[0])
    assert explained.photo == "a.png"
    assert [label.column for label in explained.labels] == ["masterCategory", "articleType"]
    assert explained["articleType"].value == client.predict([photos[0]]).photos[0]["articleType"].value
    assert explained["articleType"].picture.startswith(b"\xff\xd8")
    (label,) = client.explain(photos[0].read_bytes(), model="tiny", columns=["gender"]).labels
    assert label.column == "gender"
    with pytest.raises(KeyError):
        explained["gender"]
    assert client.explain(photos[2]).reason == Reason.NOT_A_PHOTO
    with pytest.raises(ServiceError, match="season"):
        client.explain(photos[0], columns=["season"])


def test_photos_are_labelled(client, photos):
    found = client.predict([photos[0], str(photos[1]), photos[2], draw_png(1)], top_k=2, probabilities=True)
    assert (found.model.id, found.model.version) == ("tiny", "1")
    first, second, third, fourth = found.photos
    assert [one.photo for one in found.photos] == ["a.png", "b.png", "c.txt", "photo 4"]
    assert isinstance(first, LabelledPhoto)
    assert first["gender"].value in TINY_HEADS["gender"]
    assert len(first["articleType"].candidates) == 2
    assert len(first.probabilities["articleType"]) == 5
    assert first.path[0] == first["masterCategory"].value
    assert third == FailedPhoto(photo="c.txt", reason=Reason.NOT_A_PHOTO, detail=third.detail)
    assert fourth.labels == second.labels


def test_models_are_compared_and_described(client, photos):
    found = client.compare(photos[0], models=["tiny"], top_k=1)
    assert found.photo == "a.png"
    assert [answer.model.name for answer in found.answers] == ["tiny"]
    models = client.models()
    assert (models[0].id, models[0].is_default, models[0].figures) == ("tiny", True, None)
    shipped = next(model for model in models if model.id == "default")
    assert shipped.figures.heads["articleType"].top1_accuracy > 0.5
    taxonomy = client.taxonomy()
    assert taxonomy.paths == TINY_TAXONOMY.paths
    assert taxonomy.columns["gender"] == TINY_HEADS["gender"]


def test_a_problem_is_raised_with_all_that_the_service_says(client):
    with pytest.raises(ServiceError) as refused:
        client.predict([draw_png(1)], model="nix")
    assert (refused.value.status, refused.value.service_code) == (404, "model_not_found")
    assert str(refused.value).startswith("http://testserver: there is no model 'nix'")
    assert refused.value.fix == "GET /api/v1/models lists them."


def test_what_cannot_be_meant_is_refused_here(client, tmp_path):
    with pytest.raises(UsageError, match="a list of photos"):
        client.predict("a.png")
    with pytest.raises(FileNotFoundError):
        client.predict([tmp_path / "nothing.png"])


def test_a_busy_service_is_asked_again(monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    busy = httpx.Response(503, json=PROBLEM, headers={"retry-after": "2"})
    client, seen = answering(busy, busy, httpx.Response(200, json={"models": []}))
    assert client.models() == []
    assert (len(seen), pauses) == (3, [2.0, 2.0])
    client, seen = answering(busy)
    with pytest.raises(ServiceError, match="too busy") as refused:
        client.models()
    assert (len(seen), refused.value.service_code) == (4, "queue_full")


def test_an_upload_is_not_sent_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    (tmp_path / "a.png").write_bytes(b"x")
    client, seen = answering(httpx.Response(503, json=PROBLEM, headers={"retry-after": "1"}))
    with pytest.raises(ServiceError):
        client.add_files("b", [tmp_path / "a.png"])
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.ConnectError("refused"), "cannot be reached"),
        (httpx.Response(502, text="<html>proxy</html>"), "the service returned status 502"),
        (httpx.Response(500, json=["odd"]), "the service returned status 500"),
        (httpx.Response(200, json={"models": [{"id": 1}]}), "unexpected response"),
        (httpx.Response(200, text="no json"), "unexpected response"),
    ],
)
def test_a_service_that_is_none_is_an_error_that_says_so(response, message):
    client, _ = answering(response)
    with pytest.raises(ServiceError, match=message):
        client.models()


def test_a_newer_service_may_say_more(client):
    model = {"id": "m", "name": "m", "version": "1", "colour": "green"}
    client, _ = answering(
        httpx.Response(200, json={"model": model, "latency_ms": 1.5, "photos": [], "mood": "good"})
    )
    assert client.predict([b"x"]).model.id == "m"


def test_waiting_lives_through_a_restart(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    batch = {
        "id": "b",
        "name": "",
        "model": {"id": "m", "name": "m", "version": "1"},
        "message": None,
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "created_by": None,
        "assigned_to": None,
        "archived": False,
        "counts": {"photos": 2},
        "progress": None,
    }

    def answer(state):
        return httpx.Response(200, json=batch | {"state": state})

    stopping = httpx.Response(503, json=PROBLEM)
    client, seen = answering(answer("labelling"), httpx.ConnectError("refused"), stopping, answer("ready"))
    states = []
    assert client.wait_for_batch("b", lambda found: states.append(found.state)).state == "ready"
    assert (states, len(seen)) == (["labelling", "ready"], 4)
    monkeypatch.setattr("hangtag.client.batches._QUIET_S", -1)
    client, _ = answering(httpx.ConnectError("refused"))
    with pytest.raises(ServiceError, match="cannot be reached"):
        client.wait_for_batch("b")


def test_a_token_is_sent_and_a_busy_service_asked_again(monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    busy = httpx.Response(429, headers={"retry-after": "2"}, json=PROBLEM)
    seen = []

    def answer(request):
        seen.append(request.headers.get("authorization"))
        return busy if len(seen) == 1 else httpx.Response(200, json={"models": []})

    transport = httpx.MockTransport(answer)
    assert Client(token="hangtag_given", transport=transport).models() == []  # noqa: S106 - of no service
    monkeypatch.setenv("HANGTAG_TOKEN", "hangtag_from_outside")
    Client(transport=transport).models()
    assert seen == ["Bearer hangtag_given"] * 2 + ["Bearer hangtag_from_outside"]
    assert pauses == [2]
