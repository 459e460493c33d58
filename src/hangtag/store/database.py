"""The database: SQLite in the data folder, or PostgreSQL by URL. It is migrated when it is opened."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Final
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic_core import from_json, to_json
from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Table,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase

from hangtag.domain.errors import StoreError, UsageError
from hangtag.domain.extras import require_extra
from hangtag.store.faults import database_busy, file_replaced

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
DATABASE_NAME: Final = "hangtag.db"
"""The SQLite file in a data folder."""

_WRITES: Final = "writes"
_MIGRATION_LOCK: Final = 7_406_118
_POSTGRES_NAMES: Final = ("postgres", "postgresql")
_USUAL_WAIT: Final = "PRAGMA busy_timeout = 15000"
PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",  # readers never wait for a writer
    "PRAGMA synchronous = NORMAL",  # in WAL mode, a crash of the process loses nothing
    "PRAGMA foreign_keys = ON",
    _USUAL_WAIT,
)


class Base(DeclarativeBase):
    """The base class of the service's tables."""

    __table__: ClassVar[Table]  # always a table, never a join or another query


class UtcTime(TypeDecorator[datetime]):
    """A point in time. SQLite has no time zones, so it is stored and read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the time in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the time with its time zone."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def sqlite_url(path: Path) -> URL:
    """Return the URL of a SQLite file."""
    return URL.create("sqlite", database=str(path))


def open_database(url: str | URL) -> Engine:
    """Return an engine for the database at an SQLAlchemy URL, with migrated tables.

    Raises `StoreError` if the database cannot be reached, and `UsageError` for an invalid URL.
    """
    engine = connect_database(url)
    try:
        migrate(engine)
    except OperationalError as error:
        engine.dispose()
        detail = str(error.orig).strip().splitlines()[0]
        where = engine.url.render_as_string(hide_password=True)
        fix = "Check the address in HANGTAG_DATABASE_URL, and that the database accepts connections."
        raise StoreError(f"the database cannot be used ({detail})", where=where, fix=fix) from None
    if engine.dialect.name == "sqlite" and engine.url.database:
        _FileGuard(Path(engine.url.database)).watch(engine)
    return engine


class _FileGuard:
    """Refuses to use a SQLite file that was replaced or removed since it was opened.

    Data written to a removed file is lost when the process ends, although every commit succeeds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = _identify(path)

    def watch(self, engine: Engine) -> None:
        """Check before every transaction, and before a connection would create an empty file."""
        event.listen(engine, "begin", self._check, insert=True)
        event.listen(engine, "do_connect", self._check, insert=True)

    def _check(self, *_: object) -> None:
        if _identify(self._path) != self._identity:
            raise file_replaced()


def _identify(path: Path) -> tuple[int, int] | None:
    """Return what identifies the file at a path; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def connect_database(url: str | URL) -> Engine:
    """Return an engine for an SQLAlchemy URL, without migrating. Raises `UsageError` for an invalid URL."""
    chosen = parse_url(url)
    engine = create_engine(
        chosen,
        pool_pre_ping=chosen.get_backend_name() != "sqlite",  # survive restarts of the server
        pool_size=8,
        max_overflow=32,
        json_serializer=_write_json,
        json_deserializer=from_json,  # twice as fast as json.loads, which matters for a page of results
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_connection)
        event.listen(engine, "begin", _begin)
    return engine


def parse_url(url: str | URL) -> URL:
    """Parse a database URL, and set the driver that hangtag uses. Raises `UsageError` for an invalid URL."""
    try:
        chosen = make_url(url)
    except ArgumentError:
        fix = "Write it as postgresql://user:password@host/database."
        raise UsageError("the database URL is invalid", fix=fix) from None
    if chosen.drivername not in _POSTGRES_NAMES:
        return chosen
    require_extra("serve", "PostgreSQL", "psycopg")
    return chosen.set(drivername="postgresql+psycopg")


def find_url(given: str, folder: Path) -> str | URL:
    """Return the given URL, or else that of the SQLite file in a data folder."""
    return given or sqlite_url(folder / DATABASE_NAME)


@contextmanager
def writing(engine: Engine, wait_ms: int | None = None) -> Iterator[Connection]:
    """Begin a write transaction. It waits for other writers at its start, so it cannot conflict with them later.

    `wait_ms` is how long it waits, instead of the default.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    with _writing_alone(engine, wait_ms) if is_sqlite else nullcontext(), engine.connect() as plain:
        if wait_ms is not None and is_sqlite:
            plain.connection.driver_connection.execute(f"PRAGMA busy_timeout = {wait_ms}")  # type: ignore[union-attr]
        try:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                if wait_ms is not None and not is_sqlite:
                    connection.execute(text(f"SET LOCAL lock_timeout = {wait_ms}"))
                yield connection
        finally:
            if wait_ms is not None and is_sqlite:
                plain.connection.driver_connection.execute(_USUAL_WAIT)  # type: ignore[union-attr]


class _Queue:
    """A fair lock: threads get it in the order in which they asked.

    With `threading.Lock`, a thread that writes one transaction after another keeps taking it before the waiting
    threads wake up.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[Lock] = deque()
        self._is_held = False

    def acquire(self, timeout: float) -> bool:
        with self._lock:
            if not self._is_held:
                self._is_held = True
                return True
            turn = Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            return turn.acquire(timeout=timeout) or self._leave(turn)
        except BaseException:  # Ctrl-C
            if self._leave(turn):
                self.release()
            raise

    def release(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False

    def _leave(self, turn: Lock) -> bool:
        """Leave the queue. Return whether the turn had come in the meantime."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True


_writers: WeakKeyDictionary[Engine, _Queue] = WeakKeyDictionary()


@contextmanager
def _writing_alone(engine: Engine, wait_ms: int | None) -> Iterator[None]:
    """Let this process's writers queue here for as long as needed. SQLite's own waiting eventually fails."""
    lock = _writers.setdefault(engine, _Queue())
    if not lock.acquire(timeout=-1 if wait_ms is None else wait_ms / 1000):
        raise database_busy()
    try:
        yield
    finally:
        lock.release()


def migrate(engine: Engine) -> None:
    """Migrate the tables to the current schema."""
    config = alembic_config()
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":  # if two services start at once, one waits
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def read_revision(engine: Engine) -> str | None:
    """Return the schema revision of a database; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def list_revisions() -> list[str]:
    """Return the schema revisions that this version knows, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]


def alembic_config() -> Config:
    """Return Alembic's configuration, with the path of the migrations; it still needs a connection."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _write_json(value: object) -> str:
    return to_json(value).decode()


def _prepare_connection(connection: Any, _record: object) -> None:  # noqa: ANN401 - any driver's connection
    connection.isolation_level = None  # sqlite3 would also begin transactions itself, too late
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # A transaction that reads before it writes fails if another one has written in between.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
