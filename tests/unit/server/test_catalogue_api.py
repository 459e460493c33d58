import io
import time

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from hangtag.server.app import create_app

CATALOGUE = "/api/v1/catalogue"


def wait_for(client, address):
    """Ask until the catalogue has been read as far as this answer needs."""
    deadline = time.monotonic() + 120
    while (found := client.get(address).json())["state"] == "reading":
        assert time.monotonic() < deadline, found
        assert found["available"] is False
        time.sleep(0.02)
    return found


def test_without_a_catalogue_nothing_is_shown(client):
    for address in (CATALOGUE, f"{CATALOGUE}/findings"):
        found = client.get(address).json()
        assert (found["available"], found["state"]) == (False, "absent")
    params = {"column": "gender", "true": "Men", "answered": "Men"}
    assert client.get(f"{CATALOGUE}/examples", params=params).json() == {"photos": []}
    assert client.get(f"{CATALOGUE}/photos/1.jpg").status_code == 404


def test_the_catalogue_is_described_and_checked(open_client, tiny_catalogue):
    client = open_client(catalogue=tiny_catalogue)
    found = wait_for(client, CATALOGUE)
    assert (found["available"], found["products"], found["photos"]) == (True, 60, 59)
    assert found["products_without_photo"] == 1
    assert found["levels"] == ["masterCategory", "subCategory", "articleType"]
    counts = {column["name"]: dict(column["counts"]) for column in found["columns"]}
    assert sum(counts["articleType"].values()) == 60
    assert found["paths"][0] == [["Accessories", "Bags", "Handbags"], 12]
    assert sum(products for _, products in found["paths"]) == 60
    assert client.get("/api/v1/status").json()["catalogue"] is True

    findings = wait_for(client, f"{CATALOGUE}/findings")
    assert findings["counts"]["missing_photo"] == 1
    assert findings["counts"]["duplicate"] >= 1
    assert findings["total"] == sum(findings["counts"].values()) == len(findings["findings"])
    pair = [finding for finding in findings["findings"] if finding["kind"] == "duplicate"][:2]
    assert [finding["others"] for finding in pair] == [[pair[1]["photo"]], [pair[0]["photo"]]]
    assert all(not finding["others"] for finding in findings["findings"] if finding["group"] is None)
    page = client.get(f"{CATALOGUE}/findings", params={"kind": "missing_photo", "limit": 1}).json()
    assert (page["total"], page["findings"][0]["id"]) == (1, "1024")
    assert page["findings"][0]["severity"] == "error"
    assert client.get(f"{CATALOGUE}/findings", params={"offset": 10_000}).json()["findings"] == []


def test_what_was_read_is_kept_for_the_next_start(build_settings, tiny_catalogue, monkeypatch):
    settings = build_settings(catalogue=tiny_catalogue)
    with TestClient(create_app(settings)) as first:
        described = wait_for(first, CATALOGUE)
        checked = wait_for(first, f"{CATALOGUE}/findings")

    def refuse(*_args, **_kwargs):
        raise AssertionError("it is read again")

    monkeypatch.setattr("hangtag.server.catalogue.describe_catalogue", refuse)
    monkeypatch.setattr("hangtag.server.catalogue.check_catalogue", refuse)
    with TestClient(create_app(settings)) as second:
        assert wait_for(second, CATALOGUE) == described
        assert wait_for(second, f"{CATALOGUE}/findings") == checked


def test_a_catalogue_that_cannot_be_read_stops_nothing(open_client, tmp_path):
    client = open_client(catalogue=tmp_path / "nothing")
    found = wait_for(client, CATALOGUE)
    assert (found["available"], found["state"]) == (False, "failed")
    assert "no such file" in found["message"]
    assert client.get("/readyz").status_code == 200


def test_photos_of_the_catalogue_are_given_and_nothing_else(open_client, tiny_catalogue):
    client = open_client(catalogue=tiny_catalogue)
    wait_for(client, CATALOGUE)
    response = client.get(f"{CATALOGUE}/photos/1000.jpg")
    with (
        Image.open(io.BytesIO(response.content)) as shown,
        Image.open(tiny_catalogue / "images" / "1000.jpg") as stored,
    ):
        assert shown.size == stored.size
    assert response.headers["content-type"] == "image/jpeg"
    for name in ("1024.jpg", "..%2Fstyles.csv", "../styles.csv", "%2Fetc%2Fpasswd", "images/1000.jpg"):
        assert client.get(f"{CATALOGUE}/photos/{name}").status_code == 404, name
    smaller = client.get(f"{CATALOGUE}/photos/1000.jpg", params={"size": 16})
    assert 0 < len(smaller.content) < len(response.content)


def test_a_catalogue_photo_that_is_none_is_not_given(open_client, tiny_catalogue):
    (tiny_catalogue / "images" / "9.jpg").write_text("<script>alert(1)</script>")
    client = open_client(catalogue=tiny_catalogue)
    wait_for(client, CATALOGUE)
    response = client.get(f"{CATALOGUE}/photos/9.jpg")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("true", ["Men", "Women"])
def test_examples_are_photos_that_the_model_answers_so(open_client, tiny_catalogue, true):
    client = open_client(catalogue=tiny_catalogue)
    wait_for(client, CATALOGUE)
    found = {}
    for answered in ("Men", "Women"):
        params = {"column": "gender", "true": true, "answered": answered}
        found[answered] = client.get(f"{CATALOGUE}/examples", params=params).json()["photos"]
    assert set(found["Men"]).isdisjoint(found["Women"])
    names = found["Men"] + found["Women"]
    assert names
    # Men and women alternate in the tiny catalogue, from 1000 on.
    assert {int(name.removesuffix(".jpg")) % 2 for name in names} == {("Men", "Women").index(true)}
    for answered, photos in found.items():
        for name in photos[:2]:
            data = (tiny_catalogue / "images" / name).read_bytes()
            response = client.post("/api/v1/predictions", files={"photos": (name, data)})
            assert response.json()["photos"][0]["labels"]["gender"]["value"] == answered
