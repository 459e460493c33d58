"""A store with a fake model, on SQLite and on PostgreSQL."""

import pytest

from migrated import _begin_migrated  # noqa: F401 - a fixture of all tests here
from postgres import get_server, stop_server
from store_shop import open_shop


@pytest.fixture(scope="session", autouse=True)
def _stop_postgres():
    yield
    stop_server()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    """The URL of a database without rows; None for SQLite in the folder of the store."""
    return None if request.param == "sqlite" else get_server().copy_migrated()


@pytest.fixture
def shop(url, tmp_path):
    """A store on one of the databases."""
    shop = open_shop(tmp_path, url)
    yield shop
    shop.store.engine.dispose()
