"""`hangtag upgrade` on a database of the first edition."""

import sqlite3

import pytest

from first_edition import LOOSE, SPRING, make_data_folder
from hangtag.store import database
from hangtag.store.database import list_revisions
from hangtag.store.folder import FolderClaim

pytestmark = pytest.mark.costly


def revision(path):
    with sqlite3.connect(path) as opened:
        return opened.execute("SELECT version_num FROM alembic_version").fetchone()[0]


@pytest.fixture
def first_edition(tmp_path, monkeypatch):
    """The path of a database as the first edition left it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    monkeypatch.setenv("HANGTAG_DATA_FOLDER", str(folder))
    monkeypatch.delenv("HANGTAG_DATABASE_URL", raising=False)
    make_data_folder(folder)
    return folder / "hangtag.db"


def test_a_database_of_the_first_edition(call, first_edition):
    assert revision(first_edition) == "0002"
    status, out, err = call("upgrade")
    assert (status, err) == (0, "")
    newest = list_revisions()[0]
    assert f"Schema 0002 is now {newest}; kept 18 job_labels, 8 job_photos, 8 job_results, 2 jobs." in out
    assert "The job 'Spring' is now a batch of 4 photos." in out
    assert revision(first_edition) == newest
    with sqlite3.connect(first_edition) as opened:
        assert opened.execute("SELECT id FROM batches ORDER BY number").fetchall() == [(SPRING,), (LOOSE,)]
    assert not (first_edition.parent / "jobs").exists()
    kept = first_edition.with_name(f"hangtag.db.before-{newest}")
    assert revision(kept) == "0002"
    assert oct(kept.stat().st_mode)[-3:] == oct(first_edition.stat().st_mode)[-3:] == "600"
    assert "up to date" in call("upgrade")[1]


@pytest.mark.usefixtures("first_edition")
def test_a_backup_asks_for_the_upgrade_first(call, tmp_path):
    status, _, err = call("backup", str(tmp_path / "all.tar"))
    assert (status, (tmp_path / "all.tar").exists()) == (2, False)
    assert "hangtag upgrade" in err
    assert call("upgrade")[0] == call("backup", str(tmp_path / "all.tar"))[0] == 0


def test_a_running_service_is_left_alone(call, first_edition):
    claim = FolderClaim(first_edition.parent)
    status, _, err = call("upgrade")
    claim.release()
    assert (status, revision(first_edition)) == (2, "0002")
    assert "is using this data folder" in err


def test_a_failure_in_the_middle_leaves_everything_as_it_was(call, first_edition, monkeypatch):
    def fail(*_):
        with sqlite3.connect(first_edition) as opened:
            opened.execute("DROP TABLE job_labels")
            opened.execute("DELETE FROM jobs")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(database.command, "upgrade", fail)
    with pytest.raises(sqlite3.OperationalError):
        call("upgrade")
    with sqlite3.connect(first_edition) as opened:
        assert opened.execute("SELECT count(*) FROM jobs").fetchone() == (2,)
    assert revision(first_edition) == "0002"


def test_a_damaged_or_newer_database_is_refused(call, first_edition):
    with sqlite3.connect(first_edition) as opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
    status, _, err = call("upgrade")
    assert status == 2
    assert "newer hangtag" in err
    first_edition.write_bytes(b"this is no database at all" * 400)
    status, _, err = call("upgrade")
    assert status == 2
    assert "not a database" in err


def test_without_a_database_there_is_nothing_to_do(call, tmp_path):
    assert "no database yet" in call("upgrade", "--data-folder", str(tmp_path))[1]
