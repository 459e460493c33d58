"""Batches over HTTP: what the store does is tested in `tests/unit/store`, here is what the routes add."""

import asyncio
import errno
import io
import json
import sqlite3
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image
from sqlalchemy.exc import OperationalError

from fakes import encode, paint
from first_edition import SPRING, make_data_folder
from hangtag.server.batch_events import BatchStream

API = "/api/v1"
ANN = {"X-Hangtag-User": "ann"}


def photo(colour="Red", mark=0):
    image = paint(colour)
    image.putpixel((0, 0), (mark, 0, 0))
    return encode(image)


def send(client, batch, files, data=None, **headers):
    form = [("files", (name, content)) for name, content in files.items()]
    return client.post(f"{API}/batches/{batch}/files", files=form, data=data, headers=headers)


def wait(client, batch):
    for _ in range(200):
        found = client.get(f"{API}/batches/{batch}").json()
        if found["state"] != "labelling":
            return found
        time.sleep(0.05)
    raise AssertionError(found)


@pytest.fixture
def serve_photos():
    """The address of a server that answers every request with a photo."""

    class Supplier(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(photo())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Supplier) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _full_database():
    cause = sqlite3.OperationalError("database or disk is full")
    cause.sqlite_errorcode = sqlite3.SQLITE_FULL
    return OperationalError("INSERT", {}, cause)


@pytest.fixture
def batch(client):
    made = client.post(f"{API}/batches", json={"name": "Spring"}, headers=ANN)
    assert made.status_code == 201
    return made.json()["id"]


def test_a_drop_becomes_products_and_a_file(client, batch):
    files = {"1_front.png": photo(), "1_back.png": photo(mark=1), "2.png": photo("Green"), "x.txt": b"?"}
    received = send(client, batch, files).json()["received"]
    assert [file["kind"] for file in received] == ["photo"] * 4
    assert wait(client, batch)["counts"]["products"] == 3
    listed = client.get(f"{API}/batches/{batch}/products", params={"limit": 1, "offset": 1}).json()
    assert (listed["total"], len(listed["items"])) == (3, 1)
    exported = client.post(f"{API}/batches/{batch}/exports", json={"format": "csv"})
    assert exported.headers["content-disposition"].startswith("attachment")
    assert len(exported.text.splitlines()) == 4


def test_paths_of_a_folder_come_in_a_field_of_their_own(client, batch):
    paths = ["A/1.png", "A/2.png", "B/1.png", "B/2.png"]
    files = {f"{number}.png": photo(mark=number) for number in range(4)}
    send(client, batch, files, {"paths": json.dumps(paths)})
    found = wait(client, batch)
    assert found["grouping"] == {"by": "folder", "pattern": None}
    assert found["counts"]["products"] == 2
    refused = send(client, batch, files, {"paths": "[1]"})
    assert refused.json()["errors"][0]["field"] == "paths"


def test_filters_of_a_query_and_of_a_decision_are_the_same(client, batch):
    send(client, batch, {f"{number}.png": photo(mark=number) for number in range(3)})
    wait(client, batch)
    counts = client.get(f"{API}/batches/{batch}/counts").json()
    gender = next(iter(counts["attributes"]["gender"]))
    assert client.get(f"{API}/batches/{batch}/products", params={"attribute.gender": gender}).json()["total"]
    other = {"Men": "Women", "Women": "Men"}[gender]
    decision = {"matching": {"attributes": {"gender": gender}}, "set": {"gender": other}}
    done = client.post(
        f"{API}/batches/{batch}/decisions", json=decision, headers=ANN | {"Idempotency-Key": "1"}
    )
    assert done.json()["changed"] == counts["attributes"]["gender"][gender]
    again = client.post(
        f"{API}/batches/{batch}/decisions", json=decision, headers=ANN | {"Idempotency-Key": "1"}
    )
    assert again.json()["decision"] == done.json()["decision"]
    assert client.post(f"{API}/batches/{batch}/undo", headers=ANN).json()["changed"] == 3
    ids = [item["id"] for item in client.get(f"{API}/batches/{batch}/products").json()["items"]]
    each = {"each": {ids[0]: {"gender": other}, ids[1]: {"gender": gender}}}
    assert client.post(f"{API}/batches/{batch}/decisions", json=each, headers=ANN).json()["changed"] == 2
    rest = {"matching": {}, "except": ids[:2], "confirm": True}
    assert client.post(f"{API}/batches/{batch}/decisions", json=rest, headers=ANN).json()["changed"] == 1
    for _ in range(2):
        client.post(f"{API}/batches/{batch}/undo", headers=ANN)
    assert client.post(f"{API}/batches/{batch}/undo", headers=ANN).status_code == 409
    log = client.get(f"{API}/batches/{batch}/decisions").json()
    assert [entry["kind"] for entry in log["items"]] == ["undo", "undo", "confirm", "set", "undo", "set"]


@pytest.mark.parametrize(
    ("call", "body", "expected"),
    [
        ("GET /batches/none", None, (404, "not_found")),
        ("GET /batches/{batch}/products/7x", None, (404, "not_found")),
        ("GET /batches/{batch}/sheet", None, (404, "not_found")),
        ("GET /batches/{batch}/products?attribute.collar=V", None, (422, "validation")),
        ("GET /batches/{batch}/products?sort=collar", None, (422, "validation")),
        ("POST /batches/{batch}/decisions", {"set": {"gender": "Men"}}, (422, "validation")),
        ("POST /batches/{batch}/decisions", {"products": ["1"], "each": {"1": {}}}, (422, "validation")),
        ("POST /batches/{batch}/decisions", {"products": ["1"], "except": ["1"]}, (422, "validation")),
        ("POST /batches/{batch}/redo", None, (409, "conflict")),
        ("PUT /batches/{batch}/grouping", {"by": "name", "pattern": "x"}, (422, "validation")),
        ("PUT /batches/{batch}/presence", {"product": "1"}, (422, "validation")),
        ("PATCH /batches/{batch}", {"model": "nowhere"}, (404, "model_not_found")),
        ("GET /photos/99999999/thumbnail", None, (404, "not_found")),
    ],
)
def test_what_cannot_be_done_is_a_problem(client, batch, call, body, expected):
    method, path = call.split(" ")
    answer = client.request(method, API + path.format(batch=batch), json=body)
    assert (answer.status_code, answer.json()["code"]) == expected


def test_photos_are_kept_and_shown_without_metadata(client, batch):
    original = encode(paint("Red", (900, 700)), "JPEG", exif=_rotated())
    send(client, batch, {"a.jpg": original})
    shown = client.get(f"{API}/batches/{batch}/products").json()["items"][0]["photos"][0]
    assert (shown["width"], shown["height"]) == (700, 900)
    small = Image.open(io.BytesIO(client.get(f"{API}/photos/{shown['id']}/thumbnail?size=160").content))
    assert max(small.size) == 160
    plain = Image.open(io.BytesIO(client.get(f"{API}/photos/{shown['id']}/image").content))
    assert (plain.size, dict(plain.getexif())) == ((700, 900), {})
    kept = Image.open(io.BytesIO(client.get(f"{API}/photos/{shown['id']}/original").content))
    assert (kept.size, dict(kept.getexif())) == ((700, 900), {})
    again = send(client, batch, {"b.jpg": original}, {"skip_duplicates": "true"}).json()
    assert again["received"][0]["problem"]
    assert client.get(f"{API}/photos/{shown['id']}/thumbnail?size=161").status_code == 422


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_a_photo_that_browsers_may_not_show_has_a_thumbnail(client, batch, kind):
    send(client, batch, {"a.jpg": encode(paint("Red", (300, 400)), kind)})
    [photo] = client.get(f"{API}/batches/{batch}/products").json()["items"][-1]["photos"]
    assert photo["error"] is None
    small = Image.open(io.BytesIO(client.get(f"{API}/photos/{photo['id']}/thumbnail?size=160").content))
    assert (small.format, small.size) in {("JPEG", (120, 160)), ("WEBP", (120, 160))}


def test_a_file_over_its_limit_is_cut_and_refused_while_the_others_stay(open_client):
    client = open_client(max_file_bytes=5_000)
    batch = client.post(f"{API}/batches", json={}).json()["id"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for number in range(60):
            opened.writestr(f"{number}.png", photo(mark=number))
    assert len(archive.getvalue()) > 10_000
    files = {"large.png": b"\x89PNG" + b"0" * 20_000, "small.png": photo(mark=99), "more": archive.getvalue()}
    large, small, zipped = send(client, batch, files).json()["received"]
    assert large["problem"] == "the file is larger than 5,000 bytes"
    assert (small["problem"], zipped["photos"]) == (None, 60)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), _full_database()])
def test_a_full_disk_is_a_problem_and_leaves_nothing(client, batch, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("hangtag.server.batch_service.take_files", fail)
    answer = send(client, batch, {"a.png": photo(mark=77)})
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    folder = client.app.state.service.batches.store.folder
    assert list(folder.incoming.iterdir()) == []
    assert client.get(f"{API}/batches/{batch}").json()["counts"]["photos"] == 0


def test_jobs_of_the_first_edition_are_batches_after_the_start(open_client, tmp_path):
    make_data_folder(tmp_path)
    client = open_client(data_folder=tmp_path)
    assert wait(client, SPRING)["counts"]["photos"] == 4
    items = client.get(f"{API}/batches/{SPRING}/products").json()["items"]
    assert items[0]["label"]["gender"] | {"candidates": []} == {
        "value": "Women",
        "confidence": None,
        "confident": True,
        "state": "corrected",
        "by": None,
        "made_by": {"id": "tiny", "name": "tiny", "version": "1"},
        "candidates": [],
    }


def test_labelling_is_stopped_and_resumed(client, batch):
    assert client.patch(f"{API}/batches/{batch}", json={"labelling": False}).json()["state"] == "ready"
    assert client.patch(f"{API}/batches/{batch}", json={"labelling": True}).json()["progress"] is None


def test_events_go_on_where_they_broke_off(client, batch):
    send(client, batch, {"a.png": photo(mark=9)})
    found = wait(client, batch)
    service = client.app.state.service.batches
    product = client.get(f"{API}/batches/{batch}/products").json()["items"][0]["id"]

    async def listen(since, count):
        stream = BatchStream(service.store, service.batches, service.events, batch).iter_events(since)
        events = []
        async for piece in stream:
            events += [
                json.loads(line[6:]) for line in piece.decode().splitlines() if line.startswith("data: ")
            ]
            if len(events) >= count:
                return events
        return events

    assert asyncio.run(listen(None, 1))[0]["type"] == "batch"
    client.post(
        f"{API}/batches/{batch}/decisions", json={"products": [product], "confirm": True}, headers=ANN
    )
    missed = asyncio.run(listen(found["revision"], 2))
    assert missed[0]["ids"] == [product]
    assert missed[1]["batch"]["counts"]["checked"] == 1
    client.put(f"{API}/batches/{batch}/presence", json={"product": product}, headers=ANN)
    assert asyncio.run(listen(None, 2))[1] == {"type": "presence", "who": "ann", "product": product}


def test_a_batch_that_is_deleted_ends_its_events(client, batch):
    service = client.app.state.service.batches
    stream = BatchStream(service.store, service.batches, service.events, batch)

    async def listen():
        events = [piece async for piece in stream.iter_events(None)]
        return events[-1]

    async def delete():
        task = asyncio.create_task(listen())
        await asyncio.sleep(0.1)
        await asyncio.to_thread(client.delete, f"{API}/batches/{batch}")
        return await task

    assert b'"deleted"' in asyncio.run(delete())


def _rotated():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_addresses_of_a_sheet_are_fetched_when_the_setting_allows_it(open_client, serve_photos):
    client = open_client(fetch_hosts="127.0.0.1")
    batch = client.post(f"{API}/batches", json={"name": "Supplier"}).json()["id"]
    send(client, batch, {"list.csv": f"SKU,Image\nA1,{serve_photos}/1.png\n".encode()})
    told = client.put(f"{API}/batches/{batch}/sheet", json={}).json()["fetching"]
    assert (told["is_allowed"], told["to_fetch"], told["hosts"]) == (True, 1, ["127.0.0.1"])
    done = wait(client, batch)
    assert (done["state"], done["counts"]["photos"], done["counts"]["failed"]) == ("ready", 1, 0)
    (product,) = client.get(f"{API}/batches/{batch}/products").json()["items"]
    assert (product["key"], product["photos"][0]["width"]) == ("A1", Image.open(io.BytesIO(photo())).width)
