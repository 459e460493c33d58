"""Learning over HTTP: the circle itself is tested in `tests/unit/learning`, here is what the service adds."""

import csv
import io
import time

import pytest

from hangtag.tables.reading import open_table
from learning_shop import NAMES, encode
from shop_bundle import draw_shop, write_shop_bundle

API = "/api/v1"
ANN = {"X-Hangtag-User": "ann"}


@pytest.fixture(scope="module")
def learning_models(tmp_path_factory):
    """A folder with a model that can learn."""
    folder = tmp_path_factory.mktemp("models")
    write_shop_bundle(folder / "tiny.onnx")
    return folder


@pytest.fixture
def client(open_client, learning_models):
    """A service that learns, with a batch of 40 photos."""
    return open_client(models=str(learning_models))


@pytest.fixture
def batch(client):
    made = client.post(f"{API}/batches", json={"name": "Spring"}, headers=ANN).json()["id"]
    pixels, _ = draw_shop(40)
    files = [("files", (f"{number}a.png", encode(photo))) for number, photo in enumerate(pixels)]
    client.post(f"{API}/batches/{made}/files", files=files)
    wait(lambda: client.get(f"{API}/batches/{made}").json()["state"] == "ready")
    return made


def wait(condition):
    for _ in range(400):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(condition)


def check(client, batch, count):
    kinds = draw_shop(40)[1]
    products = client.get(f"{API}/batches/{batch}/products", params={"limit": 200}).json()["items"]
    for product in products[:count]:
        number = int(product["photos"][0]["name"].removesuffix("a.png"))
        decision = {
            "products": [product["id"]],
            "set": {"articleType": NAMES[kinds[number]]},
            "confirm": True,
        }
        assert client.post(f"{API}/batches/{batch}/decisions", json=decision, headers=ANN).status_code == 200


def test_checks_teach_and_the_service_switches(client, batch):
    assert client.get(f"{API}/shop").json()["in_use"] == {}
    check(client, batch, 30)
    last = wait(lambda: client.get(f"{API}/shop").json()["last"])
    wait(lambda: client.get(f"{API}/batches/{batch}").json()["model"]["id"] == "tiny-shop-1")
    model = client.get(f"{API}/shop/models/{last['model']}").json()
    assert (model["stage"], model["created_by"], model["version"]) == ("in_use", "hangtag", 1)
    assert client.get(f"{API}/shop/models", params={"base": "other"}).json() == {"items": [], "total": 0}
    file = client.get(f"{API}/shop/models/{model['id']}/bundle")
    assert file.headers["content-disposition"] == 'attachment; filename="tiny-shop-1.onnx"'
    assert len(file.content) == model["size_bytes"]

    photo = {"photos": ("x.png", encode(draw_shop(1)[0][0]))}
    wait(lambda: answering(client, photo) == model["name"])
    undone = client.post(f"{API}/shop/learnt/undo", json={}, headers=ANN)
    assert (undone.status_code, undone.json()) == (200, None)
    wait(lambda: client.get(f"{API}/batches/{batch}").json()["model"]["id"] == "tiny")
    wait(lambda: answering(client, photo) == "tiny")
    assert client.post(f"{API}/shop/rollback", json={}, headers=ANN).status_code == 409


def answering(client, photo):
    found = client.post(f"{API}/predictions", files=photo)
    assert found.status_code == 200
    return found.json()["model"]["name"]


def test_learning_can_be_asked_for_and_switched_off(client, batch):
    asked = client.post(f"{API}/shop/models", json={}, headers=ANN)
    assert (asked.status_code, asked.json()["code"]) == (409, "too_few_checks")
    changed = client.patch(f"{API}/shop", json={"enabled": False, "learn_after": 5}).json()
    assert (changed["enabled"], changed["learn_after"]) == (False, 5)
    check(client, batch, 20)
    assert client.post(f"{API}/shop/models", json={"name": "Mine"}, headers=ANN).status_code == 202
    (made,) = wait(lambda: client.get(f"{API}/shop/models").json()["items"])
    assert (made["name"], made["stage"]) == ("Mine", "candidate")
    promoted = client.post(f"{API}/shop/models/{made['id']}/promote", json={}, headers=ANN)
    assert promoted.json()["stage"] == "in_use"
    wait(lambda: client.get(f"{API}/batches/{batch}").json()["model"]["name"] == "Mine")
    refused = client.post(f"{API}/shop/models/{made['id']}/archive", json={}, headers=ANN)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_the_shop_makes_its_own_classes_and_is_told_what_to_check_next(client, batch):
    made = client.post(
        f"{API}/taxonomy/classes", json={"path": ["Apparel", "Topwear"], "name": "Kimono"}, headers=ANN
    )
    assert made.status_code == 201
    assert ["Apparel", "Topwear", "Kimono"] in made.json()["paths"]
    refused = client.post(f"{API}/taxonomy/classes", json={"attribute": "gender", "name": "men"}, headers=ANN)
    assert refused.json()["errors"] == [{"field": "name", "message": "'men' exists already"}]
    name = {"attribute": "articleType", "class": "Kimono", "language": "de", "name": "Kimono (lang)"}
    client.put(f"{API}/taxonomy/names", json=name, headers=ANN)
    words = client.get(f"{API}/names", params={"language": "de"}).json()
    assert words["labels"]["articleType"]["Kimono"] == ["Kimono (lang)"] * 2
    exported = client.get(f"{API}/taxonomy/export")
    assert exported.headers["content-disposition"] == 'attachment; filename="taxonomy-2.json"'

    items = client.get(f"{API}/batches/{batch}/next", params={"limit": 5}).json()["items"]
    assert len(items) == 5
    decision = {"products": [items[0]["product"]], "set": {"articleType": "Kimono"}}
    decided = client.post(f"{API}/batches/{batch}/decisions", json=decision, headers=ANN).json()
    label = decided["products"][0]["label"]["articleType"]
    assert (label["value"], label["made_by"]["id"]) == ("Kimono", "tiny")
    params = {"attribute": "articleType", "name": "Kimono"}
    assert client.delete(f"{API}/taxonomy/classes", params=params, headers=ANN).json()["code"] == "in_use"
    exported = client.get(f"{API}/decisions/export", params={"format": "label-studio", "batch": batch})
    assert exported.headers["content-disposition"] == 'attachment; filename="decisions.json"'
    sent = {"file": ("decisions.json", exported.content)}
    taken = client.post(f"{API}/decisions/import", files=sent, headers=ANN).json()
    assert (taken["applied"], taken["skipped"], taken["agreement"]) == (0, [], [])
    refused = client.post(f"{API}/decisions/import", files={"file": ("x.csv", b"a,b\n1,2\n")}, headers=ANN)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "file")
    assert client.get(f"{API}/decisions/agreement").json() == {"items": []}


@pytest.fixture
def own_labels(client, batch):
    """What a shop said of a product of the batch: a class and an attribute of its own, with names in German."""
    for made in (
        {"path": ["Apparel", "Topwear"], "name": "Kimono"},
        {"attribute": "sleeve", "values": ["3/4 long", "short"]},
    ):
        assert client.post(f"{API}/taxonomy/classes", json=made, headers=ANN).status_code == 201
    for attribute, name, word in (
        ("articleType", "Kimono", "Umhang"),
        ("sleeve", "3/4 long", "dreiviertellang"),
        ("sleeve", None, "Ärmel"),
    ):
        named = {"attribute": attribute, "class": name, "language": "de", "name": word}
        assert client.put(f"{API}/taxonomy/names", json=named, headers=ANN).is_success
    product = client.get(f"{API}/batches/{batch}/products").json()["items"][0]
    said = {"articleType": "Kimono", "sleeve": "3/4 long"}
    decision = {"products": [product["id"]], "set": said, "confirm": True}
    assert client.post(f"{API}/batches/{batch}/decisions", json=decision, headers=ANN).is_success
    return product


def export(client, batch, **wanted):
    answer = client.post(f"{API}/batches/{batch}/exports", json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_classes_and_attributes_of_the_shop_are_in_every_export(client, batch, own_labels):
    name = own_labels["name"]
    for format_ in ("csv", "xlsx", "jsonl", "parquet"):
        table = open_table(export(client, batch, format=format_), f"x.{format_}")
        row = next(dict(zip(table.names, cells, strict=True)) for _, cells in table if name in cells)
        assert (row["articleType"], row["sleeve"]) == ("Kimono", "3/4 long")

    def fill(template, **more):
        rows = csv.DictReader(io.StringIO(export(client, batch, template=template, **more).decode()))
        return next(row for row in rows if row.get("photos", name) == name)

    row = fill("hangtag")
    assert (row["articleType"], row["sleeve"]) == ("Kimono", "3/4 long")
    row = fill("excel", format="csv", language="de")
    assert (row["Product type"], row["sleeve"]) == ("Umhang", "Dreiviertellang")
    assert row["Category"].endswith(" > Umhang")
    row = fill("excel", format="csv", language="fr")
    assert (row["Product type"], row["sleeve"]) == ("Kimono", "3/4 long")  # as the shop wrote it
    columns = [{"name": "photos", "from": "computed:photos"}, {"name": "Arm", "from": "word:sleeve"}]
    own = {"columns": columns, "language": "de", "synonyms": {"sleeve": {"3/4 long": "3/4-Arm"}}}
    assert fill({"template": 1, "name": "own", **own})["Arm"] == "3/4-Arm"
    feed = export(client, batch, template="google-supplemental", language="de").decode()
    assert "> Umhang" in feed
    assert "> Kimono" not in feed

    sheet = f"SKU,Produktart,Sleeve,Preis\n{name},,,9\n"
    filled = client.post(
        f"{API}/batches/{batch}/sheet-fillings", content=sheet.encode(), params={"filename": "own.csv"}
    )
    assert filled.text.splitlines()[1] == f"{name},Umhang,Dreiviertellang,9"
    drafted = client.post(f"{API}/template-drafts", content=sheet.encode(), params={"filename": "own.csv"})
    assert drafted.json()["document"]["columns"][2]["from"] == ["word:sleeve"]

    document = {"columns": [{"name": "Arm", "from": "label:sleeves"}]}
    refused = client.post(f"{API}/export-templates", json={"name": "x", "document": document})
    assert (refused.status_code, "Did you mean sleeve?" in refused.text) == (422, True)
    listed = client.get(f"{API}/export-templates").json()["choices"]["labels"]
    assert "sleeve" in listed
