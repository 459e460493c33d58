import tarfile

import pytest

from hangtag.domain.errors import StoreError
from hangtag.store.backup import read_backup, write_backup
from hangtag.store.decisions import Decision
from hangtag.store.log import list_decisions
from hangtag.store.removal import remove_unused
from postgres import get_server
from store_shop import open_shop

FILES = {"1_front.png": "Red", "1_back.png": ("Red", 1), "2.png": "Green", "s.csv": b"sku,stock\n1,007\n"}


@pytest.fixture
def backup(shop, tmp_path):
    """A backup of a batch with a decision, and the batch."""
    batch = shop.make(FILES)
    number = int(shop.list(batch)[0]["id"])
    shop.decisions.decide(batch, Decision(products=(number,), set={"baseColour": "Blue"}), "ann")
    shop.make({"3.png": ("Red", 3)}, "without a sheet")
    path = tmp_path / "backup.tar"
    summary = write_backup(shop.store.engine, shop.store.folder, path)
    assert summary.photos == 5
    return path, batch


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request, tmp_path):
    """An empty store on either database."""
    (tmp_path / "other").mkdir()
    url = get_server().make_database() if request.param == "postgresql" else None
    shop = open_shop(tmp_path / "other", url)
    yield shop
    shop.store.engine.dispose()


def test_a_backup_of_either_database_comes_back_in_either(shop, backup, other):
    path, batch = backup
    before = shop.list(batch)
    summary = read_backup(path, other.store.engine, other.store.folder)
    assert summary.photos == 5
    remove_unused(other.store, other.store.folder.iter_hashes())  # as each start does
    assert len(list(other.store.folder.iter_hashes())) == 5
    assert other.list(batch) == before
    assert other.batches.get(batch) == shop.batches.get(batch)
    entries, _ = list_decisions(other.store, batch, int(before[0]["id"]), (0, 9))
    assert entries[0]["after"]["attributes"]["baseColour"]["value"] == "Blue"
    other.decisions.undo(batch, "ann")
    assert other.list(batch)[0]["label"]["baseColour"]["value"] == "Red"
    assert other.make({"new.png": ("Blue", 7)}) != batch


def test_a_backup_is_restored_into_an_empty_store_alone(shop, backup, tmp_path):
    path, batch = backup
    with pytest.raises(StoreError, match="not empty"):
        read_backup(path, shop.store.engine, shop.store.folder)
    assert len(shop.list(batch)) == 2
    (tmp_path / "no.tar").write_bytes(b"x" * 2000)
    with pytest.raises(StoreError, match="cannot be read"):
        read_backup(tmp_path / "no.tar", shop.store.engine, shop.store.folder)


def test_a_damaged_backup_is_refused(shop, backup, other, tmp_path):  # noqa: ARG001 - the stores have their folders
    path, _ = backup
    with tarfile.open(path) as archive:
        member = next(member for member in archive.getmembers() if member.name.startswith("photos/"))
    data = bytearray(path.read_bytes())
    data[member.offset_data + 40] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="damaged"):
        read_backup(path, other.store.engine, other.store.folder)
