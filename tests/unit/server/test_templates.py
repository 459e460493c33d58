"""Templates and mappings that a shop keeps, over HTTP."""

import csv
import io
import zipfile

import pytest

API = "/api/v1"
OWN = {"template": 1, "language": "de", "columns": [{"name": "Nr", "from": "computed:key"}]}
EXAMPLE = """Artikelnummer;Bezeichnung;Farbe;Geschlecht;Preis;Google Product Category
007;Hemd;Marine;H;9,50;
008;Bluse;weiß;D;12,25;
"""


@pytest.fixture
def template(client):
    """A template of the shop, which is gone afterwards."""
    found = client.post(f"{API}/export-templates", json={"name": "Herbst", "document": OWN})
    assert found.status_code == 201, found.text
    yield found.json()
    client.delete(f"{API}/export-templates/{found.json()['id']}")


@pytest.fixture
def mapping(client):
    """A mapping of the shop, which is gone afterwards."""
    rules = [
        {"labels": {"articleType": "Tshirts", "gender": "Women"}, "path": "Women > Tees"},
        {"labels": {"articleType": "Tshirts"}, "path": "Tees"},
        {"labels": {}, "path": "Everything else", "confidence": "broader"},
    ]
    body = {"name": "Our shop", "rules": rules, "categories": ["Hats", "Tees"]}
    found = client.post(f"{API}/taxonomies", json=body)
    assert found.status_code == 201, found.text
    yield found.json()
    client.delete(f"{API}/taxonomies/{found.json()['id']}")


def test_a_template_is_kept_found_by_name_and_used(client, export_csv, sold_batch, template):
    """It is listed before hangtag's own, and exports by its id or its name in any case."""
    listed = client.get(f"{API}/export-templates").json()
    assert (listed["items"][0]["name"], listed["items"][0]["built_in"]) == ("Herbst", False)
    assert "shopify" in listed["choices"]["taxonomies"]
    for name in (template["id"], "Herbst", "herbst"):
        assert export_csv(sold_batch, template=name) == [{"Nr": "A1"}, {"Nr": "A2"}]


def test_who_saved_later_is_told(client, template):
    """A template that somebody else changed since is not overwritten."""
    path = f"{API}/export-templates/{template['id']}"
    first = client.put(path, json={"name": "Winter", "document": OWN, "version": 1})
    assert (first.status_code, first.json()["version"]) == (200, 2)
    second = client.put(path, json={"name": "Summer", "document": OWN, "version": 1})
    assert second.status_code == 409
    assert client.get(path).json()["name"] == "Winter"


@pytest.mark.parametrize(
    ("name", "document", "message"),
    [
        ("HERBST", OWN, "another one called"),
        ("google", OWN, "hangtag's own"),
        (" ", OWN, "a name has"),
        ("New", {"columns": []}, "no columns"),
        ("New", {**OWN, "taxonomy": "nowhere"}, "there is no taxonomy"),
        ("New", {**OWN, "colums": 1}, "no colums"),
        ("New", {**OWN, "columns": [{"name": "a", "from": "label:price"}]}, "price does not exist"),
    ],
)
@pytest.mark.usefixtures("template")
def test_what_cannot_be_used_is_not_kept(client, name, document, message):
    """The answer says what is wrong."""
    found = client.post(f"{API}/export-templates", json={"name": name, "document": document})
    assert (found.status_code, message in found.text) == (422, True), found.text
    assert (
        len([item for item in client.get(f"{API}/export-templates").json()["items"] if not item["built_in"]])
        == 1
    )


def test_hangtags_own_are_copied_to_be_changed(client):
    """A copy has another name; the original stays unchanged."""
    for expected in ("google 2", "google 3"):
        found = client.post(f"{API}/export-templates/google/duplicate", json={}).json()
        assert (found["name"], found["destination"], found["version"]) == (expected, "google", 1)
    for name in ("google 2", "google 3"):
        assert client.delete(f"{API}/export-templates/{name}").status_code == 204
    assert client.delete(f"{API}/export-templates/google").status_code == 404


def test_an_example_becomes_a_template(client, export_csv, sold_batch):
    """Columns keep their order; those that labels fill are spelled as the example spells them."""
    found = client.post(
        f"{API}/template-drafts",
        params={"filename": "muster.csv"},
        content=EXAMPLE.encode("cp1252"),
        headers={"Content-Type": "application/octet-stream"},
    )
    assert found.status_code == 200, found.text
    draft = found.json()
    sources = {column["name"]: column["from"] for column in draft["document"]["columns"]}
    assert list(sources) == EXAMPLE.splitlines()[0].split(";")
    assert sources["Artikelnummer"] == ["sheet:Artikelnummer", "computed:key"]
    assert sources["Preis"] == ["sheet:Preis"]
    assert (sources["Farbe"], draft["document"]["taxonomy"]) == (["word:baseColour"], "google")
    assert draft["columns"][2] == {"name": "Farbe", "target": "baseColour", "examples": ["Marine", "weiß"]}
    rows = export_csv(sold_batch, template=draft["document"])
    assert (rows[0]["Artikelnummer"], rows[0]["Geschlecht"]) == ("A1", "D")


def test_a_file_that_is_no_table(client):
    """It is refused with the reason."""
    for content in (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b""):
        found = client.post(
            f"{API}/template-drafts",
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        assert found.status_code == 422, found.text


def test_a_mapping_is_kept_and_used(export_csv, sold_batch, mapping):
    """A template names it; a rule of more labels goes first, and nothing is unmapped silently."""
    assert mapping["categories"] == ["Hats", "Tees", "Women > Tees", "Everything else"]
    assert {path["outcome"] for path in mapping["paths"]} <= {"exact", "inherited"}
    columns = [{"name": "Cat", "from": "computed:category_path"}, {"name": "Nr", "from": "computed:key"}]
    template = {"template": 1, "taxonomy": "our shop", "columns": columns}
    assert export_csv(sold_batch, template=template)[0] == {"Cat": "Women > Tees", "Nr": "A1"}


def test_a_mapping_as_a_table_and_back(client, mapping):
    """The CSV that is downloaded is read as what it was."""
    table = client.get(f"{API}/taxonomies/{mapping['id']}/csv")
    assert table.headers["content-disposition"].endswith("Our%20shop.csv")
    read = client.post(
        f"{API}/taxonomy-tables", content=table.content, headers={"Content-Type": "application/octet-stream"}
    ).json()
    assert read["rules"] == mapping["rules"]


def test_a_mapping_is_changed_and_checked(client, mapping):
    """Rules that ask for the same, unknown labels, and old versions are refused."""
    path = f"{API}/taxonomies/{mapping['id']}"
    body = {"name": "Our shop", "rules": mapping["rules"][:1], "version": 1}
    changed = client.put(path, json=body).json()
    assert (changed["version"], changed["categories"]) == (2, ["Women > Tees"])
    assert "unmapped" in {found["outcome"] for found in changed["paths"]}
    assert client.put(path, json=body).status_code == 409
    twice = client.put(path, json={**body, "version": 2, "rules": mapping["rules"][:1] * 2})
    assert "the same labels as rule 1" in twice.text
    other = {**body, "version": 2, "rules": [{"labels": {"colour": "Red"}, "path": "x"}]}
    assert "there is no label colour" in client.put(path, json=other).text


def test_a_rule_without_a_category_leaves_its_paths_unmapped(client):
    """The list counts what gets no category, whether no rule fits or one says that there is none."""
    body = {"name": "Nothing", "rules": [{"labels": {}, "confidence": "none", "note": "not yet"}]}
    made = client.post(f"{API}/taxonomies", json=body)
    assert made.status_code == 201, made.text
    [listed] = [item for item in client.get(f"{API}/taxonomies").json()["items"] if item["name"] == "Nothing"]
    assert listed["unmapped"] == len(made.json()["paths"]) > 0
    assert client.delete(f"{API}/taxonomies/{listed['id']}").status_code == 204


def test_a_draft_and_a_copy(client):
    """Categories are matched by their names; a copy of Google's can be changed."""
    drafted = client.post(
        f"{API}/taxonomy-drafts", json={"categories": ["Clothes > T-shirts", "Toys"]}
    ).json()
    assert drafted["categories"] == ["Clothes > T-shirts", "Toys"]
    assert {"Clothes > T-shirts"} == {rule["path"] for rule in drafted["rules"]}
    copy = client.post(f"{API}/taxonomies/google/duplicate", json={"name": "Google, ours"}).json()
    assert len(copy["rules"]) > 100
    listed = client.get(f"{API}/taxonomies").json()["items"]
    assert [item["name"] for item in listed] == ["Google, ours", "google", "shopify"]
    assert client.delete(f"{API}/taxonomies/{copy['id']}").status_code == 204


def test_what_is_to_be_checked_beside_the_export(client, sold_batch):
    """The list has the line of the sheet, and comes alone or with the export in a zip."""
    url = f"{API}/batches/{sold_batch}/exports"
    found = client.post(url, json={"template": "google", "part": "to_check"})
    assert found.headers["content-disposition"].endswith("to%20check.csv")
    rows = list(csv.DictReader(io.StringIO(found.content.decode("utf-8-sig"))))
    assert {("link", "3", "A2"), ("image_link", "3", "A2")} <= {
        (row["column"], row["line"], row["product"]) for row in rows
    }
    packed = client.post(url, json={"template": "google", "part": "both"}).content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == ["export.tsv", "to-check.csv"]
        assert archive.read("to-check.csv") == found.content
    checked = client.post(f"{url}/check", json={"template": "google"}).json()
    assert checked["columns"][:2] == ["id", "title"]
    assert checked["rows"][0][:2] == ["A1", "Polo"]
    assert {issue["line"] for issue in checked["issues"] if issue["key"] == "A2"} == {3}


def test_a_shops_own_sheet_is_filled_in_place(client, sold_batch):
    """Found by SKU, spelled as the sheet spells; every other byte stays."""
    sheet = "Artikelnummer;Geschlecht;Preis\r\nA1;;9,50\r\nZ9;D;1\r\n".encode("cp1252")
    url = f"{API}/batches/{sold_batch}/sheet-fillings"
    octets = {"Content-Type": "application/octet-stream"}
    found = client.post(url, params={"filename": "für.csv"}, content=sheet, headers=octets)
    assert found.status_code == 200, found.text
    assert found.content == sheet.replace(b"A1;;", b"A1;D;")
    assert found.headers["x-hangtag-filled"] == "1 in 1 of 2"
    assert found.headers["content-disposition"].endswith("f%C3%BCr.csv")
    refused = client.post(url, content=b"a;b\n1;2\n", headers=octets)
    assert refused.status_code == 422
    assert "no column of the sheet" in refused.text
