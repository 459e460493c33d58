"""What is kept and for how long, and how much of it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from hangtag.domain.roles import Action, Role
from hangtag.server.doctor import diagnose_service
from hangtag.store.account_tables import AuditRow
from hangtag.store.audit import AuditEvent
from hangtag.store.database import writing
from hangtag.store.tables import BatchRow
from tiny_bundle import draw_png

API = "/api/v1"
DAY = timedelta(days=1)


def upload(client, batch, *names, seed=0):
    photos = [("files", (name, draw_png(seed + number))) for number, name in enumerate(names)]
    return client.post(f"{API}/batches/{batch}/files", files=photos)


def make(client, who, *names, seed=0):
    batch = client.post(f"{API}/batches", json={"name": "x"}, headers={"X-Hangtag-User": who}).json()["id"]
    response = upload(client, batch, *names, seed=seed) if names else None
    return batch, response


def age(client, row, condition, moment):
    with writing(client.app.state.service.access.accounts.engine) as connection:
        connection.execute(update(row).where(condition).values(**moment))


def test_what_is_old_is_forgotten_and_what_is_young_is_kept(open_client):
    client = open_client(batch_days=30, audit_days=90)
    service = client.app.state.service
    accounts, audit = service.access.accounts, service.access.audit
    old, _ = make(client, "Ada", "a.png")
    young, _ = make(client, "Ada", "a.png", "b.png")
    past = datetime.now(UTC) - 31 * DAY
    age(client, BatchRow, BatchRow.id == old, {"updated": past})
    audit.record(AuditEvent(what="sign_in", who="Ada"))
    audit.record(AuditEvent(what="sign_in", who="Rui"))
    age(client, AuditRow, AuditRow.who == "Ada", {"at": datetime.now(UTC) - 91 * DAY})
    ada = accounts.add("Ada", Role.ADMINISTRATOR)
    accounts.add_token(ada, "old", [Action.READ], -DAY)
    accounts.add_token(ada, "young", [Action.READ], DAY)
    service.housekeeper.tidy()
    assert [batch["id"] for batch in client.get(f"{API}/batches").json()["items"]] == [young]
    assert [(entry.event.what, entry.event.who, entry.event.via) for entry in audit.entries()[0]] == [
        ("delete_batch", None, "retention"),
        ("sign_in", "Rui", "session"),
    ]
    assert [token.name for token in accounts.list_tokens()] == ["young"]
    folder = service.batches.store.folder
    assert len(list(folder.iter_hashes())) == 2, (
        "a photo of the young batch stays, though the old one had it, too"
    )
    storage = client.get(f"{API}/status").json()["storage"]
    assert (storage["products"], storage["batch_days"], storage["audit_days"]) == (2, 30, 90)
    assert "hangtag_stored_products 2.0" in client.get("/metrics").text


def test_batches_are_kept_unless_someone_asks_for_it(open_client):
    client = open_client()
    batch, _ = make(client, "Ada", "a.png")
    age(client, BatchRow, BatchRow.id == batch, {"updated": datetime.now(UTC) - 9999 * DAY})
    client.app.state.service.housekeeper.tidy()
    assert client.get(f"{API}/batches/{batch}").status_code == 200


def test_a_quota_of_products_is_not_exceeded_and_nothing_is_left_behind(open_client):
    client = open_client(quota_products=3, quota_products_per_person=2)
    folder = client.app.state.service.batches.store.folder
    batch, _ = make(client, "Ada", "a.png")
    refused = upload(client, batch, "b.png", "c.png", seed=10)
    assert (refused.status_code, refused.json()["code"]) == (507, "quota")
    assert "2 products of Ada" in refused.json()["detail"]
    assert client.get(f"{API}/batches/{batch}/products").json()["total"] == 1
    assert len(list(folder.iter_hashes())) == 1
    assert upload(client, batch, "b.png", seed=10).status_code == 200
    other, response = make(client, "Rui", "d.png", seed=20)
    assert response.status_code == 200
    refused = upload(client, other, "e.png", seed=30)
    assert "3 products of this service" in refused.json()["detail"]
    assert client.post(f"{API}/batches/{other}/duplicate").status_code == 507
    assert client.get(f"{API}/batches").json()["total"] == 2
    client.delete(f"{API}/batches/{batch}")
    assert upload(client, other, "e.png", seed=30).status_code == 200
    assert "hangtag_quota_products 3.0" in client.get("/metrics").text


def test_a_quota_of_bytes_is_not_exceeded(open_client):
    size = len(draw_png(0))
    client = open_client(quota_bytes_per_person=int(1.5 * size))
    batch, response = make(client, "Ada", "a.png")
    assert response.status_code == 200
    assert upload(client, batch, "b.png", seed=5).json()["code"] == "quota"
    assert make(client, "Rui", "b.png", seed=5)[1].status_code == 200


@pytest.mark.parametrize(("quota", "level"), [(None, "ok"), (1, "warning"), (100, "ok")])
def test_the_doctor_knows_how_full_it_is(open_client, quota, level):
    client = open_client(quota_products=quota, batch_days=30)
    make(client, "Ada", "a.png")
    settings = client.app.state.service.settings
    found = next(finding for finding in diagnose_service(settings, {}) if finding.check == "storage")
    assert found.level == level
    limit = f" of {quota}" if quota else ""
    assert f"1{limit} products; batches are kept for 30 days, the audit log for 365 days" in found.message
    assert (found.fix is not None) == (level == "warning")
