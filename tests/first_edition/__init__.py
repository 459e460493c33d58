"""A data folder as the first edition left it: two jobs, with a zip, a table, duplicates and corrections.

`store.sql` and `jobs/` were written by its service; nothing in them is made up.
"""

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from sqlalchemy import DateTime, MetaData, insert, null
from sqlalchemy.dialects.postgresql import JSON

from hangtag.store.database import alembic_config, connect_database, writing

HERE = Path(__file__).parent
SPRING, LOOSE = "20722b7ad576b5db", "e4eea22f00add74a"


def make_data_folder(folder, url=None):
    """Make the folder, with the database in it or, given its URL, in PostgreSQL."""
    shutil.copytree(HERE / "jobs", folder / "jobs")
    database = folder / "hangtag.db"
    with sqlite3.connect(database) as opened:
        opened.executescript((HERE / "store.sql").read_text("utf-8"))
    if url is not None:
        _copy(database, url)
        database.unlink()


def _copy(path, url):
    engine = connect_database(url)
    config = alembic_config()
    with writing(engine) as connection, sqlite3.connect(path) as source:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        source.row_factory = sqlite3.Row
        metadata = MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            rows = source.execute(f'SELECT * FROM "{table.name}"').fetchall()  # noqa: S608
            if rows and table.name != "alembic_version":
                values = [{name: _read(row[name], table.c[name].type) for name in row.keys()} for row in rows]  # noqa: SIM118 - a Row iterates its values
                connection.execute(insert(table), values)
    engine.dispose()


def _read(value, kind):
    if isinstance(kind, JSON):
        return null() if value is None else json.loads(value)
    if value is not None and isinstance(kind, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value
