"""Migrating the database of an older version: copied first, checked before and after, restored on failure."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, func, inspect, select, table
from sqlalchemy.exc import DBAPIError

from hangtag.domain.durable import PRIVATE_FILE, close_to_others
from hangtag.domain.errors import UsageError
from hangtag.server.batch_service import find_model, open_store
from hangtag.server.models import ModelRegistry
from hangtag.server.settings import Settings
from hangtag.store.database import find_url, list_revisions, open_database, parse_url, read_revision
from hangtag.store.first_edition import adopt_jobs, count_jobs
from hangtag.store.folder import FolderClaim

_OWN_TABLE: Final = "alembic_version"
_ROOM: Final = 3
"""The free disk space needed, as a multiple of the database's size: for the copy and for the migration."""


def upgrade_store(settings: Settings, say: Callable[[str], None]) -> None:
    """Migrate the database of a service that is not running to this version's schema, and report each step.

    A SQLite file is copied first, and put back if anything fails. PostgreSQL changes its schema in one transaction.
    Raises `UsageError` if the service is running, the database is damaged or newer, or the disk is too full.
    """
    url = parse_url(find_url(settings.database_url, settings.data_folder))
    path = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    if path is not None and not path.exists():
        say("There is no database yet. The first start creates it.")
        return
    claim = FolderClaim(settings.data_folder)
    try:
        engine = create_engine(url)
        found, newest = read_revision(engine), list_revisions()[0]
        _refuse_unknown(found)
        if found == newest:
            say(f"The database is up to date: schema {newest}.")
        elif path is None:
            _upgrade(engine, found, say)
        else:
            _upgrade_file(path, engine, found, say)
        engine.dispose()
        _make_batches(settings, say)
        close_to_others(settings.data_folder)
    except DBAPIError as error:
        where = url.render_as_string(hide_password=True)
        raise UsageError(
            f"the database cannot be upgraded ({error.orig})", where=where, fix=_RESTORE
        ) from None
    finally:
        claim.release()


def _make_batches(settings: Settings, say: Callable[[str], None]) -> None:
    """Convert the jobs of hangtag 0.1 to batches, one by one. Finished ones are kept if it is interrupted."""
    store = open_store(settings)
    try:
        if count_jobs(store.engine):
            registry = ModelRegistry(settings)
            adopt_jobs(store, lambda id_: find_model(registry, id_), say)
    finally:
        store.engine.dispose()


_RESTORE: Final = "Nothing was changed. Run `hangtag doctor` for details, or restore a backup."


def _refuse_unknown(found: str | None) -> None:
    if found is not None and found not in list_revisions():
        raise UsageError(
            f"the schema {found} of the database is that of a newer hangtag",
            fix="Install the newer version again.",
        )


def _upgrade_file(path: Path, engine: Engine, found: str | None, say: Callable[[str], None]) -> None:
    _check_file(path)
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < _ROOM * size:
        raise UsageError(
            f"upgrading needs {_ROOM * size / 1e6:,.0f} MB of free disk",
            where=path.parent,
            fix="Free some space.",
        )
    kept = path.with_name(f"{path.name}.before-{list_revisions()[0]}")
    _copy(path, kept)
    say(f"Copied to {kept}.")
    try:
        _upgrade(engine, found, say)
        engine.dispose()
        _check_file(path)
    except BaseException:
        engine.dispose()
        for beside in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + beside).unlink()
        shutil.copyfile(kept, path)
        raise
    say("Checked. You can delete the copy.")


def _upgrade(engine: Engine, found: str | None, say: Callable[[str], None]) -> None:
    """Migrate, and compare the number of rows of every table that existed before."""
    before = _count_rows(engine)
    engine.dispose()
    migrated = open_database(engine.url)
    after = _count_rows(migrated)
    migrated.dispose()
    lost = {name: (count, after[name]) for name, count in before.items() if after.get(name, count) < count}
    if lost:
        raise UsageError(f"rows were lost ({lost})", fix=_RESTORE)
    kept = ", ".join(f"{count:,} {name}" for name, count in before.items() if count)
    say(f"Schema {found or 'none'} is now {list_revisions()[0]}; kept {kept or 'nothing, it was empty'}.")


def _count_rows(engine: Engine) -> dict[str, int]:
    names = [name for name in inspect(engine).get_table_names() if name != _OWN_TABLE]
    with engine.connect() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table(name))).scalar_one()
            for name in names
        }


def _check_file(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as database:
            found = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise UsageError(f"the database is damaged ({found})", where=path, fix="Restore a backup.")


def _copy(path: Path, kept: Path) -> None:
    """Copy a database including its write-ahead log. An incomplete copy is never left behind."""
    kept.unlink(missing_ok=True)
    kept.touch(mode=PRIVATE_FILE)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(kept)) as target:
        source.backup(target)
