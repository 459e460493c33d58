import csv
import errno
import io
import json
import sqlite3

import pytest
import xlsxwriter
from PIL import Image
from sqlalchemy.exc import OperationalError

from tiny_bundle import draw_png

API = "/api/v1"
SQLITE_IS_FULL = sqlite3.OperationalError("database or disk is full")
SQLITE_IS_FULL.sqlite_errorcode = sqlite3.SQLITE_FULL


def test_photos_become_results_in_their_order(run, results, photos):
    job = run(*photos.items(), title="Autumn", model="tiny")
    assert (job["title"], job["state"], job["total"], job["done"], job["failed"]) == (
        "Autumn",
        "done",
        12,
        12,
        0,
    )
    assert job["model"] == {"id": "tiny", "version": "1", "name": "tiny"}
    assert job["created"] <= job["started"] <= job["finished"]
    assert job["images_per_s"] > 0
    assert job["seconds_left"] is None
    found = results(job["id"])
    assert [result["photo"] for result in found] == sorted(photos)
    assert [result["position"] for result in found] == list(range(12))


def test_a_result_says_what_a_prediction_says(client, run, results, photos):
    job = run(*photos.items())
    response = client.post(
        f"{API}/predictions", files=[("photos", (name, data, "image/png")) for name, data in photos.items()]
    )
    for result, answer in zip(results(job["id"]), response.json()["photos"], strict=True):
        assert (result["path"], result["doubtful"]) == (answer["path"], answer["doubtful"])
        for column, label in answer["labels"].items():
            assert result["labels"][column]["value"] == label["value"]
            assert result["labels"][column]["confidence"] == pytest.approx(label["confidence"], abs=1e-5)


def test_a_bad_photo_is_a_result_with_a_reason(run, results, photos):
    job = run(
        ("good.png", photos["000.png"]),
        ("empty.jpg", b""),
        ("word.doc", b"no photo"),
        ("../x.jpg", b"\xff\xd8\xff"),
    )
    assert (job["state"], job["failed"]) == ("done", 3)
    assert [(one["photo"], one.get("reason")) for one in results(job["id"])] == [
        ("good.png", None),
        ("empty.jpg", "empty"),
        ("word.doc", "not_a_photo"),
        ("../x.jpg", "truncated"),
    ]
    assert job["summary"]["by_reason"] == [["empty", 1], ["not_a_photo", 1], ["truncated", 1]]
    assert sum(count for _, count in job["summary"]["by_class"]["gender"]) == 1
    assert len(job["summary"]["by_confidence"]) == 10


def test_a_zip_is_labelled_where_it_lies(run, results, photos, zipped, settings):
    data = zipped({f"shop/{name}": photo for name, photo in photos.items()} | {"notes.txt": b"hello"})
    job = run(("shop.zip", data))
    assert (job["title"], job["done"]) == ("shop.zip", 12)
    assert job["message"] == "Skipped 1 file in the zip that is not a photo: notes.txt"
    assert [one["photo"] for one in results(job["id"])] == [f"shop/{name}" for name in sorted(photos)]
    assert [path.name for path in (settings.data_folder / "jobs" / job["id"]).iterdir()] == ["000000"]


def test_a_zip_is_told_by_its_bytes(run, photos, zipped):
    assert run(("upload", zipped(photos)))["total"] == 12


def test_rows_and_photos_are_brought_together_and_none_is_lost(run, results, photos, zipped):
    table = "Bild;Preis;Name\n003.PNG;5,5;drei\nmissing.png;1;nichts\n;2;leer\n001;3;eins\n".encode("cp1252")
    job = run(("list.csv", table), ("shop.zip", zipped(photos)))
    found = results(job["id"])
    rest = sorted(set(photos) - {"003.png", "001.png"})
    assert [one["photo"] for one in found] == ["003.png", "missing.png", "row 4", "001.png", *rest]
    assert [one["status"] for one in found[:4]] == ["labelled", "failed", "failed", "labelled"]
    assert [one["detail"] for one in found[1:3]] == [
        "row 3 of the table names a photo that was not sent",
        "row 4 of the table does not name a photo",
    ]
    assert found[0]["row"] == {"Bild": "003.PNG", "Preis": "5,5", "Name": "drei"}
    assert found[3]["row"]["Name"] == "eins"
    assert found[4]["row"] is None
    assert (job["total"], job["failed"]) == (14, 2)


def test_a_workbook_may_name_the_photos(run, results, photos):
    workbook = xlsxwriter.Workbook(file := io.BytesIO())
    sheet = workbook.add_worksheet()
    for position, row in enumerate([("sku", "photo"), (17.0, "002.png"), (18.0, "000.png")]):
        sheet.write_row(position, 0, row)
    workbook.close()
    job = run(*photos.items(), ("list.xlsx", file.getvalue()))
    found = results(job["id"])
    assert [one["photo"] for one in found[:3]] == ["002.png", "000.png", "001.png"]
    assert found[0]["row"] == {"sku": "17", "photo": "002.png"}


def test_a_table_in_the_zip_counts_if_it_names_photos(run, results, photos, zipped):
    named = run(("shop.zip", zipped(photos | {"styles.csv": b"id,colour\n005,red\n"})))
    assert results(named["id"])[0]["row"] == {"id": "005", "colour": "red"}
    other = run(("shop.zip", zipped(photos | {"sizes.csv": b"size\nXL\n"})))
    assert results(other["id"])[0]["row"] is None
    assert "sizes.csv" in other["message"]


@pytest.mark.parametrize(
    ("files", "fields", "problem"),
    [
        ([("list.csv", b"photo\na.png\n")], {}, (422, "the upload has no photos")),
        (
            [("a.png", b"x"), ("1.csv", b"a\n"), ("2.csv", b"a\n")],
            {},
            (422, "send one table; got 1.csv, 2.csv"),
        ),
        ([("a.png", b"x"), ("list.csv", b"size\nXL\n")], {}, (422, "no column of list.csv names the photos")),
        ([("a.png", b"x")], {"model": "none"}, (404, "there is no model 'none'")),
        ([("a.png", b"x")], {"colour": "red"}, (422, "colour")),
        ([("broken.zip", b"PK\x03\x04")], {}, (422, "the zip cannot be read")),
        ([], {"title": "x"}, (415, "the body is not multipart/form-data")),
    ],
)
def test_what_cannot_be_a_job_leaves_nothing(send, settings, files, fields, problem):
    response = send(*files, **fields)
    assert response.status_code == problem[0]
    assert response.headers["content-type"] == "application/problem+json"
    assert problem[1] in response.json()["detail"]
    assert list((settings.data_folder / "jobs").iterdir()) == []


def test_a_form_needs_its_files(client):
    response = client.post(f"{API}/jobs", files=[("title", (None, "x"))])
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "files")
    assert client.get(f"{API}/jobs").json() == {"jobs": [], "total": 0}


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("receive.UploadWriter.write", OSError(errno.ENOSPC, "No space left on device")),
        ("store.JobStore.create", OperationalError("INSERT", {}, SQLITE_IS_FULL)),
    ],
)
def test_a_full_disk_is_a_problem_and_leaves_nothing(send, settings, monkeypatch, place, error):
    def fail(*_given):
        raise error

    monkeypatch.setattr(f"hangtag.server.jobs.{place}", fail)
    response = send(("a.png", b"x"))
    assert (response.status_code, response.json()["code"]) == (507, "disk_full")
    assert list((settings.data_folder / "jobs").iterdir()) == []


def test_jobs_are_listed_the_newest_first(client, run, photos):
    ids = [run(("a.png", photos["000.png"]))["id"] for _ in range(3)]
    listed = client.get(f"{API}/jobs", params={"offset": 1, "limit": 1}).json()
    assert listed["total"] == 3
    assert [job["id"] for job in listed["jobs"]] == [ids[1]]


def test_a_correction_wins_in_the_download(client, run, photos):
    job = run(*photos.items(), ("list.csv", b"photo,sku\n004.png,=7\n"))
    address = f"{API}/jobs/{job['id']}"
    corrected = client.patch(f"{address}/results/0", json={"labels": {"articleType": "Watches"}}).json()
    assert corrected["corrections"] == {"articleType": "Watches", "masterCategory": "Accessories"}
    response = client.get(f"{address}/download", params={"format": "csv"})
    assert response.headers["content-disposition"].startswith('attachment; filename="labels.csv"')
    first = next(csv.DictReader(io.StringIO(response.text)))
    assert (first["sku"], first["articleType"], first["masterCategory"]) == ("'=7", "Watches", "Accessories")
    lines = client.get(f"{address}/download", params={"format": "jsonl"}).text.splitlines()
    assert json.loads(lines[0])["articleType"] == "Watches"
    assert len(lines) == 12
    assert client.get(f"{address}/download", params={"format": "xlsx"}).content.startswith(b"PK")


def test_photos_are_shown_whole_or_small_and_never_as_they_are(client, run, zipped):
    tiff = io.BytesIO()
    Image.new("RGB", (400, 300), "red").save(tiff, "TIFF")
    png = draw_png(1, (300, 400))
    job = run(
        ("shop.zip", zipped({"a.png": png, "b.tif": tiff.getvalue(), "c.jpg": b"<svg onload=alert(1)>"}))
    )
    address = f"{API}/jobs/{job['id']}/photos"
    whole = client.get(f"{address}/0")
    assert (Image.open(io.BytesIO(whole.content)).size, whole.headers["content-type"]) == (
        (300, 400),
        "image/jpeg",
    )
    assert whole.headers["x-content-type-options"] == "nosniff"
    for position, size in ((0, (60, 80)), (1, (80, 60))):
        small = client.get(f"{address}/{position}", params={"size": 80})
        assert Image.open(io.BytesIO(small.content)).size == size
        assert small.headers["content-type"] == "image/jpeg"
    assert client.get(f"{address}/1").headers["content-type"] == "image/jpeg"
    assert client.get(f"{address}/2").status_code == 422
    assert client.get(f"{address}/3").status_code == 404


def test_a_photo_that_was_not_sent_is_not_found(client, run, photos):
    job = run(("a.png", photos["000.png"]), ("list.csv", b"photo\nb.png\na.png\n"))
    assert client.get(f"{API}/jobs/{job['id']}/photos/0").status_code == 404


def test_a_deleted_job_leaves_nothing(client, run, photos, zipped, settings):
    job = run(("shop.zip", zipped(photos)))
    address = f"{API}/jobs/{job['id']}"
    assert client.get(f"{address}/photos/0").status_code == 200
    assert client.delete(address).status_code == 204
    assert list((settings.data_folder / "jobs").iterdir()) == []
    for path in ("", "/results", "/events", "/photos/0", "/download?format=csv"):
        response = client.get(f"{address}{path}")
        assert (response.status_code, response.json()["code"]) == (404, "job_not_found")
    assert client.delete(address).json()["code"] == "job_not_found"


def test_a_job_that_ended_cannot_be_cancelled(client, run, photos):
    job = run(("a.png", photos["000.png"]))
    response = client.post(f"{API}/jobs/{job['id']}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "job_finished")


@pytest.mark.parametrize(
    "wanted", [{"limit": 0}, {"status": "odd"}, {"max_confidence": 2}, {"label": "Men"}, {"column": "x"}]
)
def test_a_page_that_cannot_be_is_a_problem(client, run, photos, wanted):
    job = run(("a.png", photos["000.png"]))
    response = client.get(f"{API}/jobs/{job['id']}/results", params=wanted)
    assert (response.status_code, response.json()["code"]) == (422, "validation")


class TestLimits:
    @pytest.fixture
    def settings(self, settings):
        return settings.model_copy(
            update={"max_job_photos": 3, "max_job_bytes": 60_000, "max_file_bytes": 5_000}
        )

    def test_too_many_bytes_are_refused(self, send):
        response = send(("a.zip", b"PK\x03\x04" + bytes(70_000)))
        assert (response.status_code, response.json()["code"]) == (413, "too_large")

    def test_too_many_photos_are_refused(self, send, photos, zipped):
        for files in (list(photos.items()), [("a.zip", zipped(photos))]):
            response = send(*files)
            assert (response.status_code, response.json()["code"]) == (413, "too_many_files")

    def test_too_many_rows_are_refused(self, send, photos):
        response = send(("000.png", photos["000.png"]), ("list.csv", b"photo\n" + b"000.png\n" * 4))
        assert (response.status_code, response.json()["code"]) == (413, "too_many_files")

    def test_a_photo_that_is_too_large_is_a_result(self, run, results, zipped, settings):
        job = run(("a.zip", zipped({"bomb.jpg": bytes(10_000_000)})), ("large.jpg", bytes(9_000)))
        assert [one["reason"] for one in results(job["id"])] == ["too_many_bytes"] * 2
        assert (settings.data_folder / "jobs" / job["id"] / "000001").stat().st_size == 5_001
