"""How the tests are distributed to processes, and which of them are fast.

`make test` runs one process per processor (pytest-xdist) and shuffles the tests (pytest-randomly; the seed is in the
first lines; `make test ARGS=--randomly-seed=N` repeats that order). The slowest files start first, so that no process
waits for the last one at the end. Tests marked `slow` run only with SLOW_TESTS=1, as CI sets it. `make test-fast` runs
tests that need only this process and milliseconds.
"""

import os
import re
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
WEIGHTS = (
    "e2e/test_page.py",
    "stages/test_training_on_ray.py",
    "stages",
    "e2e",
    "unit/training",
    "unit/server",
)
"""The files with slow tests, slowest first."""
INNER_LOOP = TESTS / "unit"
NOT_INNER = tuple(INNER_LOOP / name for name in ("client", "learning", "networks", "server", "training"))
"""Folders whose tests start a service, train, or wait for a store to learn."""
NEEDS_MORE = re.compile(
    r"^\s*(import|from) (subprocess|tracemalloc|torch|ray|timm|matplotlib|scipy|sklearn|pandas|openpyxl|fastapi"
    r"|hangtag\.(training|networks|server)|store_shop|learning_shop)\b"
    r"|importorskip\(|pytest\.mark\.(training|real|slow)|sys\.executable",
    re.MULTILINE,
)
"""What excludes a file from the inner loop: other processes, the network, traced memory, the real catalogue, and
libraries that take as long to import as a hundred tests take to run."""
NOT_HERE = pytest.mark.skip(reason="takes minutes; SLOW_TESTS=1 runs it, as in CI")


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="the inner loop: unit tests of milliseconds")


def pytest_configure(config):
    """Draw fewer examples in the inner loop. A busy machine is not a defect, so there are no deadlines."""
    examples = 15 if config.getoption("fast") else 100
    settings.register_profile("hangtag", deadline=None, max_examples=examples)
    settings.load_profile("hangtag")


def pytest_ignore_collect(collection_path, config):
    """Skip the files that `--fast` leaves out before they are imported, since importing torch alone takes seconds."""
    if not config.getoption("fast") or collection_path.name == "conftest.py":
        return None
    if collection_path.is_dir():
        return True if collection_path in NOT_INNER else None
    return True if collection_path.suffix == ".py" and not is_fast(collection_path) else None


def is_fast(path):
    """Return whether a test file belongs to the inner loop."""
    if not path.is_relative_to(INNER_LOOP) or any(path.is_relative_to(folder) for folder in NOT_INNER):
        return False
    return not NEEDS_MORE.search(path.read_text(encoding="utf-8"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Put the slow files first; within a weight the random order stays. Skip what only CI has time for."""
    items.sort(key=lambda item: weigh(item.nodeid))
    if config.getoption("fast"):
        items[:] = [
            item for item in items if "postgresql" not in item.name and not item.get_closest_marker("costly")
        ]
    if "SLOW_TESTS" not in os.environ:
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(NOT_HERE)


def weigh(nodeid):
    place = nodeid.removeprefix("tests/")
    return next((rank for rank, folder in enumerate(WEIGHTS) if place.startswith(folder)), len(WEIGHTS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each process whole files, so that their fixtures are set up once. One process runs all Ray tests."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - not there without pytest-xdist

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "ray" if "ray" in Path(file).stem.split("_") else file

    config.option.loadscopereorder = False  # the order is the one above
    return ByFile(config, log)
