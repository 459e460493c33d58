"""Databases that start migrated: the migrations run once per test process, not once per database."""

import shutil
from pathlib import Path

import pytest

from hangtag.store import database


@pytest.fixture(scope="session", autouse=True)
def _begin_migrated(tmp_path_factory):
    """Copy a migrated SQLite file to where a new one would be made. Existing ones are migrated as usual."""
    migrated = tmp_path_factory.mktemp("migrated") / "hangtag.db"
    database.open_database(database.sqlite_url(migrated)).dispose()
    migrate = database.migrate

    def copy_or_migrate(engine):
        path = Path(engine.url.database or ".")
        if engine.dialect.name == "sqlite" and path.parent.is_dir() and not path.exists():
            shutil.copyfile(migrated, path)
        migrate(engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "migrate", copy_or_migrate)
        yield
