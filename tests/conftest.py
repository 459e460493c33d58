"""The catalogues that tests are given: a tiny drawn one, and the real one where it can be found."""

import csv
import os
import random
import signal
import zipfile
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image, ImageDraw

from hangtag.cli.main import main
from scheduling import (  # noqa: F401 - hooks of pytest
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_ignore_collect,
    pytest_xdist_make_scheduler,
)

settings.register_profile("hangtag", deadline=None)  # a busy machine is no defect
settings.load_profile("hangtag")
os.environ["HANGTAG_BENCH"] = "none"  # what was measured on this machine must not choose for the tests
if "PYTEST_XDIST_WORKER" in os.environ:  # each processor has a test process of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_NAME = "Clothing_Dataset_small"
HEADER = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName"
PATHS = (
    ("Apparel", "Topwear", "Tshirts"),
    ("Apparel", "Topwear", "Shirts"),
    ("Apparel", "Bottomwear", "Jeans"),
    ("Footwear", "Shoes", "Casual Shoes"),
    ("Accessories", "Bags", "Handbags"),
)
COLOURS = {"Red": (200, 30, 40), "Blue": (30, 60, 200), "Green": (30, 140, 60), "Black": (20, 20, 20)}
TINY_PRODUCTS = 60


@pytest.fixture
def tiny_catalogue(tmp_path):
    """A catalogue of 60 drawn products in 5 classes of 12, three of which have something wrong.

    Product 1001 has the very photo of 1000, 1012 has a comma too many in its name, 1024 has no photo.
    """
    return build_tiny_catalogue(tmp_path / "tiny")


def build_tiny_catalogue(folder):
    images = folder / "images"
    images.mkdir(parents=True)
    with (folder / "styles.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for number in range(TINY_PRODUCTS):
            file.write(_tiny_row(number) + "\n")
            if number != 24:
                drawn = 0 if number == 1 else number
                _draw(drawn).save(images / f"{1000 + number}.jpg", quality=90)
    return folder


def _tiny_row(number):
    master, sub, article = PATHS[number // 12]
    colour = list(COLOURS)[number % len(COLOURS)]
    name = f"Acme {colour}, Large {article}" if number == 12 else f"Acme {colour} {article}"
    season = ("Summer", "Fall", "NA")[number % 3]
    gender = ("Men", "Women")[number % 2]
    return f"{1000 + number},{gender},{master},{sub},{article},{colour},{season},{2010 + number % 6},Casual,{name}"


def _draw(number):
    """Draw the silhouette of the product's class in its colour, with a pattern of its own."""
    dice = random.Random(number)
    photo = Image.new("RGB", (60, 80), "white")
    pen = ImageDraw.Draw(photo)
    colour = list(COLOURS.values())[number % len(COLOURS)]
    outline = (
        [(5, 20), (55, 20), (55, 35), (44, 35), (44, 70), (16, 70), (16, 35), (5, 35)],
        [(18, 10), (42, 10), (56, 60), (46, 60), (42, 76), (18, 76), (14, 60), (4, 60)],
        [(16, 6), (44, 6), (46, 76), (34, 76), (30, 30), (26, 76), (14, 76)],
        [(4, 40), (24, 38), (52, 54), (56, 62), (4, 62)],
        [(8, 34), (52, 34), (56, 72), (4, 72)],
    )[number // 12 % len(PATHS)]
    pen.polygon(outline, fill=colour)
    for _ in range(4):
        left, top = dice.randrange(10, 40), dice.randrange(20, 60)
        shade = tuple(dice.randrange(256) for _ in range(3))
        pen.rectangle((left, top, left + dice.randrange(4, 16), top + dice.randrange(4, 16)), fill=shade)
    return photo


@pytest.fixture
def write_custom_set():
    """Write a custom set of two drawn products next to a catalogue and return its table."""

    def write(folder):
        photos = folder / "images_custom"
        photos.mkdir(parents=True)
        rows = []
        for number in (1, 2):
            _draw(100 - number).save(photos / f"{number}.jpg", quality=90)
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
    """Call the command line in this process and return its exit status, output and errors.

    That saves the seconds in which a process of its own would import torch.
    """

    def call(*arguments):
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        return leaving.value.code or 0, *capsys.readouterr()

    return call


@pytest.fixture
def synced(monkeypatch):
    """Return a list that gets the names of the files and folders that the disk is waited for to have, in order."""
    names, fsync = [], os.fsync

    def record(number):
        names.append(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    monkeypatch.setattr(os, "fsync", record)
    return names


@pytest.fixture
def interruptible():
    """Be interrupted by Ctrl-C, oneself and one's children, also where a shell's background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def real_catalogue(tmp_path_factory):
    """The folder of the real catalogue, unzipped if need be.

    HANGTAG_DATA names the folder, the zip, or a folder that holds either; without it a folder `data` in the
    checkout, or in a folder next to it, is looked into.
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
