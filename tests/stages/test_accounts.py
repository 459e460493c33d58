"""A team's service from its first start on, as a process: link, people, token, sign-out, lock-out, audit log."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack

import httpx
import pytest

from hangtag.bundle.file import write_bundle
from hangtag.client import Client
from hangtag.domain.errors import ServiceError
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

API = "/api/v1"
SLOW_S = 120
"""How long a machine that does much else may take for a response."""

PASSWORD = "correct horse battery"  # noqa: S105 - of people in tests


@pytest.fixture
def service(tmp_path):
    """Start a service on all addresses, with nobody in it; return its address and the secret of the first link."""
    graph = build_tiny_graph()
    (tmp_path / "models").mkdir()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "models" / "tiny.onnx")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_")}
    command = [sys.executable, "-m", "hangtag.cli.main", "serve", "--model", "tiny", "--threads", "1"]
    command += ["--host", "0.0.0.0", "--port", "0", "--data-folder", str(tmp_path / "data")]  # noqa: S104
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=kept | {"HANGTAG_MODELS": str(tmp_path / "models")},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            address = process.stdout.readline().split()[-1]
            printed = "".join(process.stdout.readline() for _ in range(5))
            yield address, re.search(rf"{address}/welcome#([\w-]+)", printed)[1]
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def open_browser(service):
    """Open browsers at the service's address, and close them after the test."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(httpx.Client(base_url=service[0], timeout=SLOW_S))


def enter(browser, secret, name=""):
    """Let a browser use a one-time link; it is then signed in."""
    body = {"secret": secret, "name": name, "password": PASSWORD}
    session = browser.post(f"{API}/invitations/accept", json=body).raise_for_status().json()
    browser.headers["X-CSRF-Token"] = session["csrf"]
    return browser


def test_a_team_begins_to_work(service, open_browser, tmp_path):
    address, secret = service
    stranger = open_browser()
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get(f"{API}/models").status_code == 401
    assert stranger.get("/healthz", headers={"host": "evil.example"}).status_code == 421

    ada = enter(open_browser(), secret, "Ada")
    invited = ada.post(f"{API}/people", json={"name": "Rui", "role": "reviewer"}).json()
    rui = enter(open_browser(), invited["path"].partition("#")[2])
    assert rui.get(f"{API}/people").status_code == 403
    made = rui.post(f"{API}/tokens", json={"name": "nightly", "scopes": ["label"], "days": 7}).json()

    with Client(address, token=made["secret"], timeout_s=SLOW_S) as program:
        assert program.predict([draw_png(1)]).photos[0].status == "labelled"
        with pytest.raises(ServiceError) as refused:
            program.models()
        assert refused.value.status == 403

    assert rui.delete(f"{API}/session").status_code == 204
    assert rui.get(f"{API}/models").status_code == 401
    tried = [stranger.post(f"{API}/session", json={"name": "Rui", "password": "guess"}) for _ in range(6)]
    assert [response.status_code for response in tried] == [403] * 5 + [429]

    log = ada.get(f"{API}/audit").json()["items"][::-1]
    assert [(item["who"], item["what"], item["allowed"]) for item in log] == [
        ("Ada", "sign_in", True),
        ("Ada", "add_person", True),
        ("Rui", "sign_in", True),
        ("Rui", "list_people", False),
        ("Rui", "add_token", True),
        ("Rui", "list_models", False),
        ("Rui", "sign_out", True),
        *[("Rui", "sign_in", False)] * 5,
    ]
    assert {item["address"] for item in log} == {"127.0.0.1"}
    written = (tmp_path / "log").read_text()
    assert "user=Rui" in written
    assert not any(word in written for word in (PASSWORD, made["secret"], secret, "guess"))
    stored = (tmp_path / "data" / "hangtag.db").read_bytes() + (
        tmp_path / "data" / "hangtag.db-wal"
    ).read_bytes()
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in stored  # what RFC 9106 recommends for little memory
