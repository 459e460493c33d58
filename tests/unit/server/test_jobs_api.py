"""The jobs of hangtag 0.1's API, which are batches now."""

import csv
import io
import time

from tiny_bundle import draw_png

API = "/api/v1"


def wait(client, job_id):
    for _ in range(200):
        job = client.get(f"{API}/jobs/{job_id}").json()
        if job["state"] != "running":
            return job
        time.sleep(0.02)
    raise AssertionError(job)


def test_files_in_one_request_come_back_as_a_table_with_a_row_for_each_photo(client):
    table = b"sku,photo\n1,A.png\n2,a.png\n3,gone.png\n"
    files = [
        ("files", ("A.png", draw_png(1))),
        ("files", ("a.png", draw_png(2))),
        ("files", ("t.csv", table)),
    ]
    sent = client.post(f"{API}/jobs", files=files)
    assert sent.status_code == 202
    job = wait(client, sent.json()["id"])
    assert (job["state"], job["total"], job["done"], job["failed"]) == ("done", 3, 3, 1)
    assert client.get(f"{API}/batches/{job['id']}").json()["counts"]["products"] == 3
    text = client.get(f"{API}/jobs/{job['id']}/download", params={"format": "csv"}).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["sku"], row["path"], row["status"]) for row in rows] == [
        ("1", "A.png", "labelled"),
        ("2", "a.png", "labelled"),
        ("3", "", "failed"),
    ]


def test_a_request_that_is_refused_leaves_no_batch(client):
    before = client.get(f"{API}/batches").json()["total"]
    assert client.post(f"{API}/jobs", data={"files": "no file"}).status_code in {415, 422}
    assert client.get(f"{API}/batches").json()["total"] == before


def test_what_is_not_there_is_said(client):
    for path in ("jobs/none", "jobs/none/download?format=csv"):
        assert client.get(f"{API}/{path}").status_code == 404
