"""Fixtures: a tiny drawn catalogue, the real one if it is available, and common helpers."""

import csv
import os
import signal
import zipfile
from pathlib import Path

import pytest

from hangtag.cli.main import main
from scheduling import (  # noqa: F401 - hooks of pytest
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_ignore_collect,
    pytest_xdist_make_scheduler,
)
from tiny_catalogue import HEADER, build_tiny_catalogue, draw_product

os.environ["HANGTAG_BENCH"] = "none"  # this machine's measurements must not affect the tests
if "PYTEST_XDIST_WORKER" in os.environ:  # each processor has its own test process
    os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_NAME = "Clothing_Dataset_small"


@pytest.fixture
def tiny_catalogue(tmp_path):
    """A catalogue of 60 drawn products in 5 classes of 12, three of which have a defect.

    Product 1001 has the same photo as 1000, 1012 has a surplus comma in its name, 1024 has no photo.
    """
    return build_tiny_catalogue(tmp_path / "tiny")


@pytest.fixture
def write_custom_set():
    """Write a custom set of two drawn products next to a catalogue and return its table."""

    def write(folder):
        photos = folder / "images_custom"
        photos.mkdir(parents=True)
        rows = []
        for number in (1, 2):
            draw_product(100 - number).save(photos / f"{number}.jpg", quality=90)
            rows.append(f"{number},Unisex,Apparel,Topwear,Shirts,,,,,Shirts photo {number}")
        table = folder / "custom_clothing_metadata.csv"
        table.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
        return table

    return write


@pytest.fixture
def write_catalogue(tmp_path):
    """Write the bytes of a table as a catalogue's and return its folder."""

    def write(table):
        folder = tmp_path / "written"
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "styles.csv").write_bytes(table)
        return folder

    return write


@pytest.fixture
def read_csv():
    """Read a CSV file as a list of rows by column, with Python's own reader."""

    def read(path):
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture
def call(capsys):
    """Run the command line in this process and return its exit status, output and errors.

    That saves the seconds in which a separate process would import torch.
    """

    def call(*arguments):
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        return leaving.value.code or 0, *capsys.readouterr()

    return call


@pytest.fixture
def synced(monkeypatch):
    """Return a list that collects the names of the files and folders that are synced to disk, in order."""
    names, fsync = [], os.fsync

    def record(number):
        names.append(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    monkeypatch.setattr(os, "fsync", record)
    return names


@pytest.fixture
def interruptible():
    """Make this process and its children interruptible by Ctrl-C, even if started in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def real_catalogue(tmp_path_factory):
    """The folder of the real catalogue, unzipped if necessary.

    HANGTAG_DATA names the folder, the zip, or a folder with either. By default, a folder `data` in the checkout, or in
    a folder next to it, is searched.
    """
    root = Path(__file__).parents[1]
    named = os.environ.get("HANGTAG_DATA")
    places = [Path(named)] if named else [root / "data", *sorted(root.parent.glob("*/data"))]
    for place in places:
        for found in (place, place / REAL_NAME, place / f"{REAL_NAME}.zip"):
            if (found / "styles.csv").is_file():
                return found
            if found.suffix == ".zip" and found.is_file():
                return _unzip(found, tmp_path_factory.mktemp("real"))
    pytest.skip("the real catalogue is not here: set HANGTAG_DATA to its folder or zip")


def _unzip(path, folder):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return next(folder.rglob("styles.csv")).parent
