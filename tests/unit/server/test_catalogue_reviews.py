"""Findings of the catalogue's check become batches, and corrections come back as a table."""

import csv
import io
import time

API = "/api/v1"
ANN = {"X-Hangtag-User": "ann"}


def wait(condition):
    for _ in range(400):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(condition)


def test_missing_photos_become_a_batch_and_corrections_a_table(open_client, tiny_catalogue):
    client = open_client(catalogue=tiny_catalogue)
    wait(lambda: client.get(f"{API}/catalogue/findings").json()["state"] != "reading")
    none = client.post(f"{API}/catalogue/reviews", json={"finding": "suspects"}, headers=ANN)
    assert (none.status_code, none.json()["code"]) == (409, "nothing_found")
    made = client.post(f"{API}/catalogue/reviews", json={"finding": "missing"}, headers=ANN)
    assert made.status_code == 201
    batch = made.json()
    assert (batch["from_catalogue"], batch["counts"]["products"]) == (True, 1)
    (product,) = client.get(f"{API}/batches/{batch['id']}/products").json()["items"]
    assert product["needs"]["why"] == "no_photo"
    decision = {"products": [product["id"]], "set": {"gender": "Women"}}
    assert (
        client.post(f"{API}/batches/{batch['id']}/decisions", json=decision, headers=ANN).status_code == 200
    )
    answer = client.get(f"{API}/batches/{batch['id']}/corrections")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 60
    assert next(row for row in rows if row["id"] == product["key"])["gender"] == "Women"
    other = client.post(f"{API}/batches", json={"name": "x"}, headers=ANN).json()
    assert other["from_catalogue"] is False
    assert client.get(f"{API}/batches/{other['id']}/corrections").status_code == 404


def test_a_catalogue_that_is_still_checked_has_nothing_to_review(client):
    found = client.post(f"{API}/catalogue/reviews", json={"finding": "duplicates"}, headers=ANN)
    assert (found.status_code, found.json()["code"]) == (409, "nothing_found")
