import csv

import pytest

from hangtag.domain.errors import ServiceError, UsageError


def test_a_batch_from_files_to_a_table(client, photos, tmp_path):
    batch = client.create_batch("Spring")
    received = client.add_files(batch.id, photos)
    assert [file.photos for file in received] == [1, 1, 1]
    found = client.wait_for_batch(batch.id, timeout_s=60)
    assert found.counts["products"] == 3
    products = list(client.iter_products(batch.id))
    first = products[0]
    other = {"Men": "Women", "Women": "Men"}[first["gender"].value]
    assert client.decide(batch.id, [first.id], set={"gender": other}).changed == 1
    assert [product.id for product in client.iter_products(batch.id, state="corrected")] == [first.id]
    assert first.id in [product.id for product in client.iter_products(batch.id, gender=other)]
    path = client.export_batch(batch.id, tmp_path / "labels.csv")
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert rows[0]["gender"] == other
    assert rows[2]["status"] == "failed"
    template = {"template": 1, "columns": [{"name": "Sex", "from": "label:gender"}]}
    sold = client.export_batch(batch.id, tmp_path / "sold.tsv", template=template)
    assert sold.read_text("utf-8").splitlines()[:2] == ["Sex", other]
    item = {"product": first.id, "labels": {"gender": first["gender"].value}}
    assert client.push_labels(batch.id, [item])[0].outcome == "conflict"
    item["version"] = client.push_labels(batch.id, [item])[0].version
    assert client.push_labels(batch.id, [item])[0].outcome == "changed"
    assert client.undo(batch.id).changed == 0
    client.delete_batch(batch.id)
    with pytest.raises(ServiceError, match="no batch"):
        client.batch(batch.id)
    assert batch.id not in [other.id for other in client.batches()]


def test_a_table_of_another_kind_is_refused(client, tmp_path):
    with pytest.raises(UsageError, match=r"\.csv, \.xlsx"):
        client.export_batch("x", tmp_path / "labels.doc")
