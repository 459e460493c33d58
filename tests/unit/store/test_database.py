import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from hangtag.domain.errors import StoreError, UsageError
from hangtag.store import account_tables, export_tables
from hangtag.store import tables as store_tables
from hangtag.store.database import Base, UtcTime, migrate, open_database, sqlite_url, writing
from postgres import get_server

assert {
    row.__tablename__ for row in (store_tables.BatchRow, account_tables.AccountRow, export_tables.WebhookRow)
} <= set(Base.metadata.tables)


@pytest.fixture
def engine(tmp_path):
    engine = open_database(sqlite_url(tmp_path / "100% of it" / ".." / "jobs.db"))
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def folder(tmp_path):
    (tmp_path / "100% of it").mkdir()


def test_the_migrations_make_the_tables_that_the_code_knows(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_opening_twice_keeps_what_is_stored(engine):
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE own (x INTEGER)"))
        connection.execute(text("INSERT INTO own VALUES (7)"))
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT x FROM own")).scalar_one() == 7


def test_sqlite_is_set_up_for_many_readers_and_one_writer(engine):
    with engine.connect() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 15_000, "synchronous": 1}


def test_a_comment_needs_its_product(engine):
    values = {"product": 9, "at": datetime.now(UTC), "text": "x"}
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(insert(store_tables.CommentRow), [values])


def test_a_failed_transaction_leaves_nothing(engine):
    def write():
        with writing(engine) as connection:
            connection.execute(text("CREATE TABLE own (x INTEGER)"))
            raise KeyError

    with pytest.raises(KeyError):
        write()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'own'")).scalar() == 0


def test_a_reader_sees_the_state_of_its_beginning_while_another_writes(engine):
    count = text("SELECT count(*) FROM own")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE own (x INTEGER)"))
    with engine.connect() as reader:
        assert reader.execute(count).scalar_one() == 0
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO own VALUES (7)"))
        assert reader.execute(count).scalar_one() == 0
    with engine.connect() as reader:
        assert reader.execute(count).scalar_one() == 1


def test_moments_come_back_in_utc(engine):
    table = Table("moments", MetaData(), Column("number", Integer, primary_key=True), Column("at", UtcTime))
    table.create(engine)
    moment = datetime(2026, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    with writing(engine) as connection:
        connection.execute(insert(table), [{"number": 1, "at": moment}, {"number": 2, "at": None}])
        found = connection.execute(select(table.c.at).order_by(table.c.number)).scalars().all()
    assert found == [datetime(2026, 6, 30, 23, 30, tzinfo=UTC), None]


def test_the_migrations_make_the_same_tables_on_postgresql():
    engine = open_database(get_server().make_database())
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    migrate(engine)
    engine.dispose()


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path):
    url = f"postgresql://ann:secret@/shop?host={tmp_path}"
    with pytest.raises(StoreError, match="HANGTAG_DATABASE_URL") as raised:
        open_database(url)
    assert "secret" not in str(raised.value)
    with pytest.raises(UsageError, match="the database URL is invalid"):
        open_database("shop")


def test_the_tables_can_be_made_by_postgresql_too():
    statements = [
        str(make(thing).compile(dialect=postgresql.dialect()))
        for table in Base.metadata.sorted_tables
        for make, things in ((CreateTable, [table]), (CreateIndex, table.indexes))
        for thing in things
    ]
    assert any("number BIGSERIAL" in statement for statement in statements)


def test_writers_of_a_process_take_turns(tmp_path):
    engine = open_database(sqlite_url(tmp_path / "test.db"))
    written, stopping = [], threading.Event()

    def write_on():
        while not stopping.is_set():
            with writing(engine):
                time.sleep(0.002)
                written.append("busy")

    busy = threading.Thread(target=write_on)
    busy.start()
    try:
        for _ in range(20):
            with writing(engine):
                written.append("own")
    finally:
        stopping.set()
        busy.join()
    engine.dispose()
    assert written.count("own") == 20
    longest = max(len(list(run)) for kind, run in groupby(written) if kind == "busy")
    assert longest <= 2  # a writer that never rests does not go before those that wait


def test_a_writer_that_gives_up_leaves_the_queue(tmp_path):
    engine = open_database(sqlite_url(tmp_path / "test.db"))
    with writing(engine), ThreadPoolExecutor(1) as threads, pytest.raises(StoreError):
        threads.submit(lambda: writing(engine, wait_ms=10).__enter__()).result()
    with writing(engine, wait_ms=1000):
        pass
    engine.dispose()
