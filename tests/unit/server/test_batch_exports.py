"""Batches exported by templates, over HTTP."""

import pytest

API = "/api/v1"
TEMPLATE = {
    "template": 1,
    "title": "Own",
    "columns": [{"name": "Nr", "from": "computed:key"}, {"name": "Art", "from": "word:articleType"}],
}


@pytest.fixture
def batch(sold_batch):
    """The id of the batch."""
    return sold_batch


@pytest.fixture
def export(export_csv):
    """Export a batch; return the rows of the CSV file by their names."""
    return export_csv


def test_what_people_said_is_exported(export, batch):
    """Labels that a person set are in the file, with the photos and cells of the product."""
    first, second = export(batch, template="hangtag")
    assert (first["sku"], first["articleType"], first["gender"]) == ("A1", "Tshirts", "Women")
    assert (first["photos"], first["price"]) == ("A1_front.png;A1_back.png", "19.90 EUR")
    assert (second["sku"], second["photos"]) == ("A2", "A2_front.png")


def test_the_file_has_the_batchs_name(client, batch):
    """Any name makes a valid header."""
    response = client.post(f"{API}/batches/{batch}/exports", json={"template": "google"})
    assert response.headers["content-type"].startswith("text/tab-separated-values")
    assert response.headers["content-disposition"].endswith("filename*=UTF-8''Spring%2FM%C3%A4rz.tsv")
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", ["csv", "tsv", "xml", "xlsx", "jsonl", "parquet"])
def test_formats(client, batch, kind):
    """Each format is answered with its own type."""
    response = client.post(f"{API}/batches/{batch}/exports", json={"template": "google", "format": kind})
    assert response.status_code == 200, response.text
    assert response.content


def test_a_template_of_the_request(export, batch):
    """A template in the request is like a file of it."""
    rows = export(batch, template=TEMPLATE, language="de")
    assert rows[0] == {"Nr": "A1", "Art": "T-Shirt"}


def test_a_check_says_what_would_be_left_out(client, batch):
    """The answer has counts, reasons and the entries themselves."""
    response = client.post(f"{API}/batches/{batch}/exports/check", json={"template": "google"})
    found = response.json()
    assert (found["products"], found["written"], found["refused"]) == (2, 1, 1)
    assert {issue["key"] for issue in found["issues"]} == {"A2"}
    assert "link" in {issue["column"] for issue in found["issues"]}
    assert sum(reason["count"] for reason in found["reasons"]) == len(found["issues"])


def test_filters(export, batch):
    """Only checked products are exported on request."""
    rows = export(batch, template="hangtag", matching={"state": "corrected"})
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"template": "nope"}, "there is no template"),
        ({"template": "/etc/passwd"}, "there is no template"),
        ({"template": "../google"}, "there is no template"),
        ({"template": {"name": "x"}}, "template"),
        ({"template": "google", "language": "xx"}, "not supported: xx"),
        ({"template": "google", "currency": "euros"}, "currency"),
        ({"template": "google", "rows": "photo"}, "the template says this"),
        ({"template": "google", "columns": ["sku"]}, "the template says this"),
        ({"format": "csv", "language": "de"}, "choose a template"),
        ({"format": "xml"}, "choose a template"),
        ({}, "choose a template"),
    ],
)
def test_no_other_files_and_no_broken_templates(client, batch, body, message):
    """A name is that of a built-in template, never a path."""
    response = client.post(f"{API}/batches/{batch}/exports", json=body)
    assert response.status_code == 422
    assert message in response.text


def test_no_taxonomy_of_a_path(client, batch):
    """A taxonomy is a built-in one, too."""
    response = client.post(
        f"{API}/batches/{batch}/exports", json={"template": TEMPLATE | {"taxonomy": "/etc/passwd"}}
    )
    assert response.status_code == 422
    assert "there is no taxonomy" in response.text


def test_a_check_is_by_a_template(client, batch):
    """Without one there is nothing to check."""
    assert client.post(f"{API}/batches/{batch}/exports/check", json={"format": "csv"}).status_code == 422


def test_unknown_batches(client):
    """There is a problem with the code of what isn't there."""
    for path in ("exports", "exports/check"):
        assert client.post(f"{API}/batches/nope/{path}", json={"template": "google"}).status_code == 404
    assert client.get(f"{API}/batches/nope/changes").status_code == 404


def test_templates_and_taxonomies_are_listed(client):
    """They are those of the package."""
    templates = client.get(f"{API}/export-templates").json()["items"]
    assert {"hangtag", "google", "shopify"} <= {template["name"] for template in templates}
    taxonomy = client.get(f"{API}/taxonomies/google").json()
    assert taxonomy["edition"] == "2021-09-21"
    assert len(taxonomy["rules"]) > 100
    assert client.get(f"{API}/taxonomies/other").status_code == 404


def test_changes(client, batch):
    """All products first, and nothing after them."""
    found = client.get(f"{API}/batches/{batch}/changes", params={"limit": 1}).json()
    assert (len(found["items"]), found["reset"], found["more"]) == (1, True, True)
    rest = client.get(f"{API}/batches/{batch}/changes", params={"cursor": found["cursor"]}).json()
    assert (len(rest["items"]), rest["reset"], rest["more"]) == (1, False, False)
    last = client.get(f"{API}/batches/{batch}/changes", params={"cursor": rest["cursor"]}).json()
    assert (last["items"], last["cursor"]) == ([], rest["cursor"])
    assert client.get(f"{API}/batches/{batch}/changes", params={"cursor": "x"}).status_code == 422
