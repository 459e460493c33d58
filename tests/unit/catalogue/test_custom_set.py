import shutil
import zipfile

import pytest

from hangtag.datasets.opening import open_catalogue, open_custom_set
from hangtag.domain.errors import CatalogueError


def test_the_custom_set_lies_beside_a_catalogue(tiny_catalogue, write_custom_set):
    table = write_custom_set(tiny_catalogue)
    for path in (tiny_catalogue, tiny_catalogue.parent, tiny_catalogue / "styles.csv"):
        custom = open_custom_set(path)
        assert custom.photo_names() == {"1.jpg", "2.jpg"}
        assert custom.name == "tiny (custom)"
        with custom.open_table() as opened:
            assert opened.read() == table.read_bytes()


def test_the_custom_set_lies_in_the_catalogue_s_zip(tiny_catalogue, write_custom_set, tmp_path):
    write_custom_set(tiny_catalogue)
    (tiny_catalogue / "images_custom" / "Shirts").mkdir()
    shutil.copy(tiny_catalogue / "images_custom" / "2.jpg", tiny_catalogue / "images_custom" / "Shirts")
    shutil.make_archive(tmp_path / "shop", "zip", tmp_path, "tiny")
    with open_custom_set(tmp_path / "shop.zip") as custom:
        assert custom.name == "shop (custom)"
        assert custom.photo_names() == {"1.jpg", "2.jpg", "Shirts/2.jpg"}
        assert custom.read_photo("1.jpg") == (tiny_catalogue / "images_custom" / "1.jpg").read_bytes()
        with custom.open_table() as opened:
            assert opened.read(3) == b"id,"


def test_a_catalogue_without_custom_set_has_none(tiny_catalogue, tmp_path):
    shutil.make_archive(tmp_path / "shop", "zip", tiny_catalogue)
    for path in (tiny_catalogue, tiny_catalogue / "styles.csv", tmp_path / "shop.zip"):
        assert open_custom_set(path) is None


def test_a_custom_set_has_none_beside_itself(tiny_catalogue, write_custom_set):
    assert open_custom_set(write_custom_set(tiny_catalogue)) is None


def test_a_table_alone_is_a_custom_set_with_the_photos_beside_it(tmp_path, tiny_catalogue, write_custom_set):
    table = write_custom_set(tiny_catalogue)
    alone = tmp_path / "alone"
    (alone / "Shirts").mkdir(parents=True)
    shutil.copy(table, alone)
    shutil.copy(tiny_catalogue / "images" / "1003.jpg", alone / "Shirts")
    for path in (alone, alone / table.name):
        assert open_catalogue(path).photo_names() == {"Shirts/1003.jpg"}
    assert open_custom_set(alone) is None


def test_what_is_no_catalogue_has_no_custom_set(tmp_path):
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as archive:
        archive.writestr("other.csv", "id")
    with pytest.raises(CatalogueError, match=r"there is no styles\.csv"):
        open_custom_set(tmp_path / "bare.zip")
