"""A store that learns, on SQLite and on PostgreSQL."""

import pytest

from hangtag.learning import worker
from learning_shop import open_tiny_shop
from migrated import _begin_migrated  # noqa: F401 - a fixture of all tests here
from postgres import get_server, stop_server


@pytest.fixture(scope="session", autouse=True)
def _stop_postgres():
    yield
    stop_server()


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch):
    monkeypatch.setattr(worker, "QUIET_S", 0.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request, tmp_path):
    """A store that learns, on one of the databases."""
    url = None if request.param == "sqlite" else get_server().copy_migrated()
    shop = open_tiny_shop(tmp_path, url)
    yield shop
    shop.store.engine.dispose()
