"""`hangtag describe` from end to end: tiny catalogues in, a page out; and the real catalogue's figures."""

import json
import os
import shutil
import subprocess
import sys

import pytest


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
