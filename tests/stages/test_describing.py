"""`hangtag describe` from end to end: tiny catalogues in, a page out; and the real catalogue's figures."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from hangtag.catalogue.describe import describe_catalogue
from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import open_catalogue, open_custom_set


def hangtag(*arguments, folder):
    """Run the command line in a folder, on a terminal wide enough not to wrap."""
    environment = os.environ | {"COLUMNS": "160"}
    command = [sys.executable, "-m", "hangtag.cli.main", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def with_custom_set(tiny_catalogue):
    """The photos of the tiny catalogue with a narrow table, and a custom set of two products next to it."""
    table = (tiny_catalogue / "styles.csv").read_text("utf-8").splitlines()[1:]
    narrow = [f"{row.split(',')[0]},{row.split(',')[4]}" for row in table]
    (tiny_catalogue / "styles.csv").write_text("\n".join(["id,articleType", *narrow]), "utf-8")
    custom = "id,articleType\n1,Tshirts\n2,Hats\n"
    (tiny_catalogue / "custom_clothing_metadata.csv").write_text(custom, "utf-8")
    (tiny_catalogue / "images_custom").mkdir()
    shutil.copy(tiny_catalogue / "images" / "1000.jpg", tiny_catalogue / "images_custom" / "1.jpg")
    return tiny_catalogue


def test_the_custom_set_is_found_beside_the_catalogue(with_custom_set, tmp_path):
    done = hangtag("describe", with_custom_set, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "60 products in 5 classes of articleType, 59 photos. Next to it, a custom set of 2" in done.stdout
    assert "Its Hats is unknown to the catalogue." in done.stdout
    facts = json.loads((tmp_path / "description" / "statistics.json").read_text("utf-8"))
    assert facts["custom"]["products_without_photo"] == 1
    assert (tmp_path / "description" / "describe.html").is_file()
    assert (tmp_path / "description" / "samples-custom.png").is_file()


def test_a_custom_set_may_be_named(with_custom_set, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name in ("custom_clothing_metadata.csv", "images_custom"):
        shutil.move(with_custom_set / name, own / name)
    done = hangtag("describe", with_custom_set, "--custom", own, "--output", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "statistics.json").read_text("utf-8"))["custom"]["products"] == 2


def test_what_is_no_catalogue_is_wrong_usage(tmp_path):
    done = hangtag("describe", "absent", folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def real_statistics(real_catalogue):
    with open_catalogue(real_catalogue) as catalogue:
        return describe_catalogue(catalogue, read_cleaned(catalogue).table)


@pytest.mark.real
def test_the_real_catalogue_is_counted(real_statistics):
    assert (real_statistics.products, real_statistics.photos) == (39_959, 39_655)
    assert (real_statistics.products_without_photo, real_statistics.photos_without_product) == (304, 0)
    assert {column.name: column.classes for column in real_statistics.columns} == {
        "masterCategory": 7,
        "subCategory": 44,
        "articleType": 142,
        "gender": 5,
        "baseColour": 46,
        "season": 4,
        "year": 13,
        "usage": 8,
        "productDisplayName": real_statistics.column("productDisplayName").classes,
    }
    assert dict(real_statistics.column("masterCategory").counts)["Apparel"] == 19_217
    assert dict(real_statistics.years)["2012"] == 14_688
    assert real_statistics.photo_sizes.sizes[0][0] == "60x80"


@pytest.mark.real
def test_real_photos_are_missing_among_personal_care(real_statistics):
    gap = next(gap for gap in real_statistics.gaps if gap.what == "photo")
    assert (gap.label, gap.missing_in_label, gap.missing) == ("Personal Care", 226, 304)


@pytest.mark.real
def test_the_real_custom_set_is_known_to_the_catalogue(real_catalogue, real_statistics):
    with open_custom_set(real_catalogue) as catalogue:
        own = describe_catalogue(catalogue, read_cleaned(catalogue).table)
    assert (own.products, own.photos, own.products_without_photo) == (20, 20, 0)
    for level in own.levels:
        assert dict(own.column(level).counts).keys() <= dict(real_statistics.column(level).counts).keys()
