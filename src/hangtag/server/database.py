"""The service's database: SQLite in the data folder, brought up to date when it is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from pydantic_core import from_json, to_json
from sqlalchemy import URL, Connection, DateTime, Dialect, Engine, TypeDecorator, create_engine, event
from sqlalchemy.orm import DeclarativeBase

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_WRITES: Final = "writes"
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",  # readers never wait for the one who writes
    "PRAGMA synchronous = NORMAL",  # with WAL no crash of the process loses or harms anything
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 30000",
)


class Base(DeclarativeBase):
    """The tables of the service."""


class UtcTime(TypeDecorator[datetime]):
    """A moment. SQLite knows no time zones, so that what is stored is UTC, and is read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment with its time zone."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def sqlite_url(path: Path) -> URL:
    """Return the address of a SQLite file."""
    return URL.create("sqlite", database=str(path))


def open_database(url: str | URL) -> Engine:
    """Return an engine for the database at an SQLAlchemy URL, with its tables brought up to date."""
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=32,
        json_serializer=_write_json,
        json_deserializer=from_json,  # twice as fast as that of Python, which a page of answers shows
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_connection)
        event.listen(engine, "begin", _begin)
    migrate(engine)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a transaction that writes. It waits for others at its start, and can then no more be refused."""
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        yield connection


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; what is stored is kept."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _write_json(value: object) -> str:
    return to_json(value).decode()


def _prepare_connection(connection: Any, _record: object) -> None:  # noqa: ANN401 - any driver's connection
    connection.isolation_level = None  # sqlite3 would begin transactions of its own, too late
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # A transaction that reads first and wants to write later is refused when another one has written meanwhile.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
