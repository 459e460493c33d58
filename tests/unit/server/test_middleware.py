import json
import logging

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import StreamingResponse

from hangtag.domain.errors import CatalogueError
from hangtag.server.middleware import PROTECTION, Observer
from hangtag.server.problems import add_problem_handlers
from hangtag.server.telemetry import FIELDS, JsonFormatter, Metrics, TextFormatter, log_event
from tiny_bundle import draw_png

PREDICTIONS = "/api/v1/predictions"


@pytest.fixture
def broken():
    """A small app in which everything goes wrong."""
    app = FastAPI()

    @app.get("/bug")
    async def show_bug():
        raise RuntimeError("secret")

    @app.get("/late")
    async def show_late():
        async def body():
            yield b"half"
            raise RuntimeError("late")

        return StreamingResponse(body())

    @app.get("/catalogue")
    async def show_catalogue():
        raise CatalogueError("the table is broken", where="/secret/place", fix="Mend it.")

    add_problem_handlers(app)
    app.add_middleware(Observer, metrics=Metrics())
    return TestClient(app)


def test_every_answer_is_protected_and_has_an_id(client):
    for address in ("/healthz", "/api/v1/models", "/api/v1/nothing", "/api/docs", "/", "/metrics"):
        response = client.get(address)
        assert PROTECTION.keys() <= {name.title() if "-" in name else name for name in response.headers} | {
            name for name in PROTECTION if name.lower() in response.headers
        }
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert len(response.headers["x-request-id"]) == 12
    given = client.get("/healthz", headers={"x-request-id": "from-proxy.1"})
    assert given.headers["x-request-id"] == "from-proxy.1"
    strange = client.get("/healthz", headers={"x-request-id": "a b"})
    assert strange.headers["x-request-id"] != "a b"


def test_a_bug_is_a_problem_that_tells_nothing_and_a_traceback_in_the_log(broken, caplog):
    response = broken.get("/bug")
    problem = response.json()
    assert (response.status_code, problem["code"]) == (500, "internal")
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
    assert "RuntimeError: secret" in caplog.text


def test_an_answer_that_breaks_off_is_not_a_whole_one(broken, caplog):
    with pytest.raises(RuntimeError, match="late"):
        broken.get("/late")
    assert "RuntimeError: late" in caplog.text


def test_an_error_of_the_domain_says_what_to_do_and_not_where(broken, caplog):
    response = broken.get("/catalogue")
    assert response.status_code == 503
    assert response.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the table is broken",
        "code": "catalogue",
        "fix": "Mend it.",
        "errors": [],
    }
    assert "/secret/place" in caplog.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"sec-fetch-site": "same-origin", "origin": "http://elsewhere"}, 415),
        ({"sec-fetch-site": "none"}, 415),
        ({"origin": "http://testserver"}, 415),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://elsewhere"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_the_page_of_another_site_cannot_start_anything(client, headers, status):
    assert client.post(PREDICTIONS, headers=headers).status_code == status
    assert client.get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("PUT", "/api/v1/models", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/api/v1/models/tiny/confusion", 422, "validation"),
    ],
)
def test_errors_of_routing_are_problems_too(client, method, address, status, code):
    response = client.request(method, address)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"


def test_what_happens_is_counted_and_logged_without_names(client, caplog):
    caplog.set_level(logging.INFO)
    files = [("photos", ("secret-dress.png", draw_png(1))), ("photos", ("secret-shoe.png", b"none"))]
    client.post(PREDICTIONS, files=files)
    client.get("/api/v1/catalogue/photos/secret-dress.png")
    assert "create_predictions" in caplog.text
    assert "secret" not in "".join(str(vars(record)) for record in caplog.records if "hangtag" in record.name)
    metrics = client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'hangtag_photos_total{model="tiny",outcome="labelled"}' in metrics.text
    assert 'hangtag_photos_total{model="tiny",outcome="not_a_photo"}' in metrics.text
    assert 'hangtag_requests_total{method="POST",operation="create_predictions",status="200"}' in metrics.text
    assert 'hangtag_batch_photos_count{model="tiny"}' in metrics.text
    assert "hangtag_photos_waiting 0.0" in metrics.text
    assert "hangtag_upload_memory_bytes 0.0" in metrics.text
    assert "secret" not in metrics.text


def test_the_log_may_name_photos_that_have_no_label(open_client, caplog):
    caplog.set_level(logging.INFO)
    client = open_client(log_photo_names=True)
    client.post(PREDICTIONS, files=[("photos", ("shoe.png", b"none")), ("photos", ("a.png", draw_png(1)))])
    named = [vars(record)[FIELDS] for record in caplog.records if record.message == "a photo has no label"]
    assert named == [{"photo": "shoe.png", "reason": "not_a_photo"}]


def test_the_lines_of_the_log(caplog):
    caplog.set_level(logging.INFO)
    log_event(logging.getLogger("hangtag.test"), logging.INFO, "done", status=200)
    record = caplog.records[-1]
    assert TextFormatter().format(record).endswith("done status=200")
    written = json.loads(JsonFormatter().format(record))
    assert (written["message"], written["status"], written["level"]) == ("done", 200, "info")
    assert written["time"].endswith("+00:00")


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("GET", "/api/v1/predictions", "POST"),
        ("OPTIONS", "/api/v1/batches", "GET, POST"),
        ("PUT", "/api/v1/batches/4", "DELETE, GET, PATCH"),
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/jobs/4", "GET, HEAD"),
    ],
)
def test_an_address_says_all_methods_that_it_knows(client, method, address, allowed):
    response = client.request(method, address)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
