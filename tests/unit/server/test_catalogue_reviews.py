"""Findings of the catalogue's check become batches, and corrections come back as a table that a training takes."""

import csv
import io
import time

import numpy as np
import pytest

from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.out_of_fold import HeadGuesses, OutOfFold, write_out_of_fold
from hangtag.pipelines.corrections import correct_labels

API = "/api/v1"
ANN = {"X-Hangtag-User": "ann"}
GENDERS = ("Men", "Women")
MISTAKEN = "1005"


def wait(condition):
    for _ in range(400):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(condition)


@pytest.fixture
def predictions(tiny_catalogue, tmp_path):
    """Out-of-fold predictions that agree with every gender but one."""
    with open_catalogue(tiny_catalogue) as source:
        rows = read_cleaned(source).table.to_pylist()
    given = np.array([GENDERS.index(row["gender"]) for row in rows])
    sure = np.where([row["id"] == MISTAKEN for row in rows], 0.1, 0.8)
    probabilities = np.where(given[:, None] == np.arange(2), sure[:, None], 1 - sure[:, None])
    head = HeadGuesses(tuple(row["gender"] for row in rows), GENDERS, probabilities.astype(np.float32))
    ids = tuple(row["id"] for row in rows)
    path = tmp_path / "out_of_fold.parquet"
    photos = tuple(f"{id_}.jpg" for id_ in ids)
    write_out_of_fold(OutOfFold(ids, photos, (1,) * len(ids), {"gender": head}, {"recipe": "tiny"}), path)
    return path


def review(client, finding):
    """Make a batch of what was found; return it and its only product."""
    made = client.post(f"{API}/catalogue/reviews", json={"finding": finding}, headers=ANN)
    assert made.status_code == 201, made.text
    batch = made.json()
    assert (batch["from_catalogue"], batch["counts"]["products"]) == (True, 1)
    (product,) = client.get(f"{API}/batches/{batch['id']}/products").json()["items"]
    return batch["id"], product


def correct(client, batch, product, gender):
    """Set the gender of a product; return the table of corrections."""
    decision = {"products": [product["id"]], "set": {"gender": gender}}
    answer = client.post(f"{API}/batches/{batch}/decisions", json=decision, headers=ANN)
    assert answer.status_code == 200, answer.text
    return client.get(f"{API}/batches/{batch}/corrections").text


def test_findings_become_batches_and_corrections_a_table_to_train_with(
    open_client, tiny_catalogue, predictions, tmp_path
):
    client = open_client(catalogue=tiny_catalogue, catalogue_labels=predictions)
    wait(lambda: client.get(f"{API}/catalogue/findings").json()["state"] != "reading")
    batch, product = review(client, "missing")
    assert (product["key"], product["needs"]["why"]) == ("1024", "no_photo")
    rows = list(csv.DictReader(io.StringIO(correct(client, batch, product, "Women"))))
    assert len(rows) == 60
    assert next(row for row in rows if row["id"] == product["key"])["gender"] == "Women"

    batch, product = review(client, "suspects")
    assert (product["key"], [photo["name"] for photo in product["photos"]]) == (MISTAKEN, [f"{MISTAKEN}.jpg"])
    (comment,) = client.get(f"{API}/batches/{batch}/products/{product['id']}/comments").json()["items"]
    assert comment["text"].startswith("gender: labelled Women (10%), more likely Men (90%)")
    assert (comment["who"], product["comments"]) == ("hangtag", 1)
    path = tmp_path / "styles.csv"
    path.write_text(correct(client, batch, product, "Men"), encoding="utf-8")
    with open_catalogue(tiny_catalogue) as source:
        _, facts = correct_labels(read_cleaned(source).table, path, source)
    assert facts.labels == {"gender": 1}

    other = client.post(f"{API}/batches", json={"name": "x"}, headers=ANN).json()
    assert other["from_catalogue"] is False
    assert client.get(f"{API}/batches/{other['id']}/corrections").status_code == 404


def test_a_catalogue_that_is_still_checked_has_nothing_to_review(client):
    found = client.post(f"{API}/catalogue/reviews", json={"finding": "duplicates"}, headers=ANN)
    assert (found.status_code, found.json()["code"]) == (409, "nothing_found")
