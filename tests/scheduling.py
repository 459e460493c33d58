"""How the tests are shared out between processes, and which of them are fast.

`make test` runs one process for each processor (pytest-xdist) and shuffles the tests (pytest-randomly; the seed is in
the first lines; `make test ARGS=--randomly-seed=N` repeats that order). What needs minutes starts first, so that no
process waits for the last one at the end. Tests marked `slow` run where SLOW_TESTS=1, as CI sets it.
"""

import os
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
WEIGHTS = (
    "e2e/test_page.py",
    "stages/test_training_on_ray.py",
    "stages",
    "e2e",
    "unit/training",
    "unit/server",
)
"""Where the slow tests are, slowest first."""
NEEDS_MORE = re.compile(
    r"^\s*(import|from) (subprocess|tracemalloc|torch|ray|timm|hangtag\.(training|networks)|store_shop|learning_shop)\b"
    r"|importorskip\(|pytest\.mark\.(training|real|slow)|sys\.executable",
    re.MULTILINE,
)
"""What keeps a file out of the inner loop: other processes, torch, Ray, memory that is traced, the real catalogue."""
NOT_HERE = pytest.mark.skip(reason="takes minutes; SLOW_TESTS=1 runs it, as in CI")


def pytest_addoption(parser):
    parser.addoption(
        "--fast", action="store_true", help="unit tests without torch, Ray, PostgreSQL, processes"
    )


def pytest_ignore_collect(collection_path, config):
    """Leave out what `--fast` leaves out before it is imported, since importing torch alone takes seconds."""
    if not config.getoption("fast") or collection_path.suffix != ".py":
        return None
    if collection_path.name == "conftest.py":
        return None
    return True if not is_fast(collection_path) else None


def is_fast(path):
    return path.is_relative_to(TESTS / "unit") and not NEEDS_MORE.search(path.read_text(encoding="utf-8"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Put the slow files first; within a weight the random order stays. Skip what only CI has the time for."""
    items.sort(key=lambda item: weigh(item.nodeid))
    if config.getoption("fast"):
        items[:] = [item for item in items if "postgresql" not in item.name]
    if "SLOW_TESTS" not in os.environ:
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(NOT_HERE)


def weigh(nodeid):
    place = nodeid.removeprefix("tests/")
    return next((rank for rank, folder in enumerate(WEIGHTS) if place.startswith(folder)), len(WEIGHTS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each process whole files, so that what a file sets up is set up once; one process has all of Ray."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - not there without pytest-xdist

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "ray" if "ray" in Path(file).stem.split("_") else file

    config.option.loadscopereorder = False  # the order is the one above
    return ByFile(config, log)
