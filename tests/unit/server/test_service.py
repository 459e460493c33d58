import asyncio
import gc
import itertools
import json
import os
import re
import shutil
import weakref
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hangtag import __version__
from hangtag.domain.errors import BundleError, UsageError
from hangtag.server.app import create_app
from hangtag.server.middleware import HostCheck, find_allowed_hosts
from hangtag.server.openapi import render_document
from hangtag.server.run import build_settings as build_from_options
from hangtag.server.service import Service, find_service
from hangtag.server.settings import Settings
from hangtag.server.telemetry import Metrics
from tiny_bundle import draw_png

ROOT = Path(__file__).parents[3]


def test_the_service_says_what_it_is(client):
    found = client.get("/api/v1/status").json()
    assert (found["version"], found["default_model"], found["catalogue"]) == (__version__, "tiny", False)
    assert found["models"] >= 3
    assert found["limits"]["max_files"] == 500


def test_a_service_about_to_stop_is_not_ready_and_still_answers(open_client):
    client = open_client()
    assert client.get("/readyz").json() == {"status": "ok"}
    service = find_service(client.app)
    told = []
    service.on_stop(lambda: told.append("end"))
    service.begin_stop()
    service.begin_stop()
    assert told == ["end"]
    response = client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "shutting_down")
    assert response.headers["retry-after"]
    assert client.get("/healthz").status_code == 200
    assert client.get("/api/v1/models").status_code == 200


def test_a_service_is_not_ready_before_its_model_has_proved_itself(open_client):
    client = open_client()
    find_service(client.app).is_ready = False
    response = client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")


def test_a_model_whose_file_was_replaced_is_let_go_of(open_client, models, tmp_path):
    path = shutil.copy(models / "other.onnx", tmp_path / "mine.onnx")
    client = open_client(models=os.pathsep.join([str(models), str(tmp_path)]))
    photos = [("photos", ("a.png", draw_png(1), "image/png"))]
    loaded = []
    for second in range(3):
        os.utime(path, (second, second))
        assert client.post("/api/v1/predictions", files=photos, data={"model": "mine"}).status_code == 200
        loaded.append(weakref.ref(find_service(client.app).registry.find_loaded("mine")))
    gc.collect()
    assert [model() is not None for model in loaded] == [False, False, True]


def test_there_is_no_service_without_its_model(build_settings):
    async def start(model):
        Service(build_settings(model=model), Metrics())

    with pytest.raises(BundleError, match="no model named 'nix'"):
        asyncio.run(start("nix"))


def test_the_document_is_the_committed_one():
    committed = (ROOT / "web" / "openapi.json").read_text("utf-8")
    assert render_document(create_app(Settings())) == committed, (
        "python -m hangtag.server.openapi > web/openapi.json"
    )


def test_the_document_can_be_read_by_programs():
    document = json.loads(render_document(create_app(Settings())))
    operations = [one for path in document["paths"].values() for one in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) > 15
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    assert all(operation["description"] for operation in operations)
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert "Problem" in references
    assert references <= set(document["components"]["schemas"])


def test_the_description_of_the_api_works_offline_and_is_whole(client):
    response = client.get("/api/docs")
    document = client.get("/api/v1/openapi.json").json()
    for path in document["paths"].values():
        for operation in path.values():
            assert f'id="{operation["operationId"]}"' in response.text
    for anchor in set(re.findall(r'href="#(\w+)"', response.text)):
        assert f'id="{anchor}"' in response.text, anchor
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', response.text)
    assert "<script" not in response.text


def test_the_description_of_the_api_can_be_walked_by_its_headings_and_scrolled_by_keyboard(client):
    text = client.get("/api/docs").text
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert text.count("<main>") == 1
    assert "<th></th>" not in text
    assert not re.findall(r'<div class="table"(?!.*?tabindex="0" aria-label="[^"]+")', text)
    assert not re.findall(r"<pre(?! tabindex)", text)


def test_a_long_answer_is_compressed_for_those_who_can_read_it(client):
    response = client.get("/api/v1/taxonomy?model=default", headers={"accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.json()["levels"]
    plain = client.get("/api/v1/taxonomy?model=default", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("host", "names", "allowed"),
    [
        ("127.0.0.1", "", {"localhost", "127.0.0.1", "[::1]"}),
        ("localhost", "", {"localhost", "127.0.0.1", "[::1]"}),
        ("::1", "Shop.example", {"localhost", "127.0.0.1", "[::1]", "shop.example"}),
        ("127.0.0.1", "*", None),
    ],
)
def test_who_alone_can_reach_the_service_calls_it_by_its_own_names(build_settings, host, names, allowed):
    found = find_allowed_hosts(build_settings(host=host, allowed_hosts=names))
    assert found == (None if allowed is None else frozenset(allowed))


def test_a_service_on_all_addresses_is_called_by_the_name_of_its_machine(build_settings, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Tags.lan")
    found = find_allowed_hosts(build_settings(host="::", allowed_hosts="shop.example"))
    assert found == {"localhost", "127.0.0.1", "[::1]", "shop.example", "tags.lan", "tags", "tags.local"}


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:8080", 200), ("evil.example:8080", 421), ("", 421)],
)
def test_another_name_is_refused(client, build_settings, host, status):
    checked = TestClient(HostCheck(client.app, find_allowed_hosts(build_settings())))
    response = checked.get("/healthz", headers={"host": host})
    assert response.status_code == status
    assert status == 200 or response.json()["code"] == "wrong_host"


def test_settings_come_from_the_environment_and_from_options(monkeypatch, tmp_path):
    monkeypatch.setenv("HANGTAG_PORT", "9000")
    monkeypatch.setenv("HANGTAG_MAX_FILES", "7")
    monkeypatch.setenv("HANGTAG_DATA", str(tmp_path))
    settings = build_from_options({"port": 9001})
    assert (settings.port, settings.max_files, settings.catalogue) == (9001, 7, tmp_path)
    monkeypatch.setenv("HANGTAG_DATA", "")
    assert build_from_options({}).catalogue is None
    assert build_from_options({"catalogue": tmp_path}).catalogue == tmp_path
    monkeypatch.setenv("HANGTAG_MAX_FILES", "none")
    with pytest.raises(UsageError, match=r"max_files: .*valid integer"):
        build_from_options({})


def test_the_data_lies_where_the_user_keeps_such_things(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings(catalogue=None).data_folder == tmp_path / "hangtag"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Settings(catalogue=None).data_folder == tmp_path / "home/.local/share/hangtag"


def test_the_page_about_the_service_names_every_setting_and_every_address():
    text = (ROOT / "docs" / "server.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias or f"HANGTAG_{name.upper()}"
        for variable in [alias] if isinstance(alias, str) else alias.choices:
            assert f"`{variable}`" in text, variable
    for path, operations in create_app(Settings(catalogue=None)).openapi()["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path.removeprefix('/api/v1')}`" in text, (method, path)
