import base64
import gzip
import hashlib

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hangtag.server.middleware import BasePath
from hangtag.server.page import Page
from hangtag.server.problems import add_problem_handlers

SCRIPT = b"start(1)"
HTML = (
    b"<!doctype html><script src='/HANGTAG_BASE_PATH/a.js'></script><script>"
    + SCRIPT
    + b"</script><p>page</p>"
)
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


def html_below(base_path=""):
    return HTML.replace(b"/HANGTAG_BASE_PATH", base_path.encode())


def open_page(folder, base_path=""):
    app = FastAPI(openapi_url=None)
    add_problem_handlers(app)
    app.add_middleware(BasePath, base_path=base_path)
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
        assert (response.status_code, response.content) == (200, html_below())
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
        assert gzip.decompress(b"".join(response.iter_raw())) == html_below()


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


@pytest.mark.parametrize("setting", ["", "/tags"])
@pytest.mark.parametrize("is_stripped", [True, False])
def test_below_a_path_every_file_of_the_page_is_below_the_same_path(folder, setting, is_stripped):
    client = open_page(folder, setting)
    headers = {} if setting else {"x-forwarded-prefix": "/tags/"}
    start = "" if is_stripped else "/tags"
    page = client.get(f"{start}/jobs/42", headers=headers)
    assert (page.status_code, page.content) == (200, html_below("/tags"))
    assert "X-Forwarded-Prefix" in page.headers["vary"]
    assert client.get(f"{start}/tag.svg", headers=headers).text == "<svg/>"
    assert client.get(f"{start}/", headers=headers).headers["etag"] == page.headers["etag"]
    if not setting:
        assert client.get("/").headers["etag"] != page.headers["etag"]


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "/a/../b", "tags", '/"><script>', "https://evil.example"]
)
def test_a_prefix_that_is_no_path_is_ignored(folder, prefix):
    assert open_page(folder).get("/", headers={"x-forwarded-prefix": prefix}).content == html_below()
