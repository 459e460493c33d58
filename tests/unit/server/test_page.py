import base64
import gzip
import hashlib

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hangtag.server.page import Page
from hangtag.server.problems import add_problem_handlers

SCRIPT = b"start(1)"
HTML = b"<!doctype html><script src='/a.js'></script><script>" + SCRIPT + b"</script><p>page</p>"
HASH = base64.b64encode(hashlib.sha256(SCRIPT).digest()).decode()


@pytest.fixture
def folder(tmp_path):
    """A built page."""
    files = {
        "index.html": HTML,
        "_app/immutable/start.0a1b.js": b"let page = 1;" * 50,
        "_app/version.json": b"{}",
        "tag.svg": b"<svg/>",
        "models.html": b"<p>models</p>",
    }
    for name, data in files.items():
        path = tmp_path / "page" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "page" / "_app/immutable/start.0a1b.js.br").write_bytes(b"brotli")
    return tmp_path / "page"


def open_page(folder):
    app = FastAPI(openapi_url=None)
    add_problem_handlers(app)
    page = Page(folder)
    app.router.add_route("/{address:path}", page.answer, methods=["GET", "HEAD"])
    return TestClient(app)


def test_files_are_given_with_what_a_browser_needs_to_know(folder):
    client = open_page(folder)
    script = client.get("/_app/immutable/start.0a1b.js", headers={"accept-encoding": "identity"})
    assert script.text == "let page = 1;" * 50
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    icon = client.get("/tag.svg")
    assert (icon.headers["content-type"], icon.headers["cache-control"]) == ("image/svg+xml", "no-cache")
    assert client.get("/models").text == "<p>models</p>"


def test_every_other_address_is_the_page(folder):
    client = open_page(folder)
    for address in ("/", "/jobs/42", "/no/such/view"):
        response = client.get(address)
        assert (response.status_code, response.content) == (200, HTML)
        assert response.headers["cache-control"] == "no-cache"
    assert client.head("/").status_code == 200


@pytest.mark.parametrize(
    "address", ["/api/v1/nothing", "/api/", "/_app/immutable/gone.js", "/_app/../../secret"]
)
def test_an_address_that_no_view_has_is_not_found(folder, address):
    response = open_page(folder).get(address)
    if "secret" in address:
        assert "secret" not in response.text
    else:
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_file_is_given_compressed_as_the_build_left_it(folder):
    client = open_page(folder)
    with client.stream(
        "GET", "/_app/immutable/start.0a1b.js", headers={"accept-encoding": "gzip, br"}
    ) as response:
        assert response.headers["content-encoding"] == "br"
        assert b"".join(response.iter_raw()) == b"brotli"
        assert response.headers["vary"] == "Accept-Encoding"
    with client.stream("GET", "/", headers={"accept-encoding": "gzip;q=1.0"}) as response:
        assert gzip.decompress(b"".join(response.iter_raw())) == HTML


def test_a_browser_that_has_the_file_is_not_sent_it_again(folder):
    client = open_page(folder)
    etag = client.get("/tag.svg").headers["etag"]
    response = client.get("/tag.svg", headers={"if-none-match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert client.get("/tag.svg", headers={"if-none-match": '"other"'}).status_code == 200


def test_only_the_scripts_of_the_build_may_run(folder):
    policy = open_page(folder).get("/").headers["content-security-policy"]
    assert f"script-src 'self' 'sha256-{HASH}';" in policy
    assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


def test_a_service_without_a_page_says_how_to_build_it(tmp_path):
    response = open_page(tmp_path / "nothing").get("/")
    assert response.status_code == 200
    assert "npm run build" in response.text
