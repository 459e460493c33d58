"""`hangtag upgrade` on a database of the first edition."""

import sqlite3

import pytest
from alembic import command

from hangtag.store import database
from hangtag.store.database import list_revisions, open_database, sqlite_url
from hangtag.store.folder import FolderClaim


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
    path = folder / "hangtag.db"
    with monkeypatch.context() as old:
        upgrade = command.upgrade
        old.setattr(database.command, "upgrade", lambda config, _: upgrade(config, "0002"))
        open_database(sqlite_url(path)).dispose()
    with sqlite3.connect(path) as opened:
        columns = opened.execute("PRAGMA table_info(jobs)").fetchall()
        values = {name: 0 if "INT" in kind.upper() else "" for _, name, kind, needed, *_ in columns if needed}
        values |= {"created": "2026-01-01 00:00:00"} if "created" in {column[1] for column in columns} else {}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        opened.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", list(values.values()))  # noqa: S608
    return path


def test_a_database_of_the_first_edition(call, first_edition):
    assert revision(first_edition) == "0002"
    status, out, err = call("upgrade")
    assert (status, err) == (0, "")
    newest = list_revisions()[0]
    assert f"Schema 0002 is now {newest}; kept 1 jobs." in out
    assert revision(first_edition) == newest
    kept = first_edition.with_name(f"hangtag.db.before-{newest}")
    assert revision(kept) == "0002"
    assert oct(kept.stat().st_mode)[-3:] == oct(first_edition.stat().st_mode)[-3:] == "600"
    assert "up to date" in call("upgrade")[1]


def test_a_running_service_is_left_alone(call, first_edition):
    claim = FolderClaim(first_edition.parent)
    status, _, err = call("upgrade")
    claim.release()
    assert (status, revision(first_edition)) == (2, "0002")
    assert "is using this data folder" in err


def test_a_failure_in_the_middle_leaves_everything_as_it_was(call, first_edition, monkeypatch):
    def fail(*_):
        with sqlite3.connect(first_edition) as opened:
            opened.execute("DROP TABLE jobs")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(database.command, "upgrade", fail)
    with pytest.raises(sqlite3.OperationalError):
        call("upgrade")
    with sqlite3.connect(first_edition) as opened:
        assert opened.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
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
