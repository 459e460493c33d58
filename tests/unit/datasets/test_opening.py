import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason


def zip_of(folder, path, prefix="", compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + str(file.relative_to(folder)))
    return path


@pytest.fixture(params=["folder", "folder around", "zip", "zip with a folder around"])
def any_layout(request, tiny_catalogue, tmp_path):
    if request.param == "folder":
        return tiny_catalogue
    if request.param == "folder around":
        return tiny_catalogue.parent
    prefix = "Some Name/" if "around" in request.param else ""
    return zip_of(tiny_catalogue, tmp_path / "tiny.zip", prefix)


def test_every_layout_gives_the_same_table_and_photos(any_layout, tiny_catalogue):
    with open_catalogue(any_layout) as catalogue:
        with catalogue.open_table() as table:
            assert table.read() == (tiny_catalogue / "styles.csv").read_bytes()
        assert len(catalogue.photo_names()) == 59
        assert catalogue.read_photo("1003.jpg") == (tiny_catalogue / "images" / "1003.jpg").read_bytes()


def test_the_name_is_that_of_the_folder_or_zip(tiny_catalogue, tmp_path):
    assert open_catalogue(tiny_catalogue).name == "tiny"
    assert open_catalogue(zip_of(tiny_catalogue, tmp_path / "shop.zip")).name == "shop"


@pytest.mark.parametrize("name", ["no.jpg", "../styles.csv", "images/1003.jpg", "", "..", "styles.csv"])
def test_a_name_that_is_no_photo_is_not_found(any_layout, name):
    with open_catalogue(any_layout) as catalogue, pytest.raises(PhotoError) as caught:
        catalogue.read_photo(name)
    assert caught.value.reason in {Reason.NOT_FOUND, Reason.UNREADABLE}


def test_many_threads_may_read_photos_at_once(any_layout, tiny_catalogue):
    with open_catalogue(any_layout) as catalogue, ThreadPoolExecutor(8) as pool:
        names = sorted(catalogue.photo_names()) * 20
        for name, data in zip(names, pool.map(catalogue.read_photo, names), strict=True):
            assert data == (tiny_catalogue / "images" / name).read_bytes()


def test_only_photos_directly_in_the_folder_are_listed(tiny_catalogue, tmp_path):
    images = tiny_catalogue / "images"
    (images / "._1000.jpg").write_bytes(b"x")
    (images / "Thumbs.db").write_bytes(b"x")
    (images / "9.PNG").write_bytes(b"x")
    (images / "deeper").mkdir()
    (images / "deeper" / "7.jpg").write_bytes(b"x")
    for path in (tiny_catalogue, zip_of(tiny_catalogue, tmp_path / "tiny.zip")):
        names = open_catalogue(path).photo_names()
        assert "9.PNG" in names
        assert not names & {"._1000.jpg", "Thumbs.db", "7.jpg", "deeper"}


def test_a_table_alone_is_a_catalogue_without_photos(tiny_catalogue, tmp_path):
    lone = tmp_path / "lone" / "custom.csv"
    lone.parent.mkdir()
    lone.write_bytes((tiny_catalogue / "styles.csv").read_bytes())
    with open_catalogue(lone) as catalogue:
        with catalogue.open_table() as table:
            assert table.read(3) == b"id,"
        with pytest.raises(CatalogueError, match="no folder of photos"):
            catalogue.photo_names()


def test_a_zip_without_photos_says_so_only_when_they_are_asked_for(tmp_path):
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as archive:
        archive.writestr("styles.csv", "id")
    with (
        open_catalogue(tmp_path / "bare.zip") as catalogue,
        pytest.raises(CatalogueError, match="no folder of"),
    ):
        catalogue.photo_names()


def test_of_a_catalogue_and_a_copy_deeper_inside_the_outer_one_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "kaggle.zip", "w") as archive:
        archive.writestr("inner/styles.csv", "inner")
        archive.writestr("styles.csv", "outer")
        archive.writestr("__MACOSX/._styles.csv", "junk")
    with open_catalogue(tmp_path / "kaggle.zip") as catalogue, catalogue.open_table() as table:
        assert table.read() == b"outer"


def test_the_only_catalogue_of_a_zip_may_lie_at_any_depth(tiny_catalogue, tmp_path):
    path = zip_of(tiny_catalogue, tmp_path / "deep.zip", "exports/2025/shop/")
    with open_catalogue(path) as catalogue, catalogue.open_table() as table:
        assert len(table.read().splitlines()) == 61
        assert len(catalogue.photo_names()) == 59


def test_of_a_zip_with_two_catalogues_one_is_named_once_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for folder in ("spring", "autumn"):
            archive.writestr(f"shop/{folder}/styles.csv", "id,articleType\n")
    with pytest.raises(CatalogueError, match=r"shop/autumn/, shop/spring/. Unpack it, and name one"):
        open_catalogue(tmp_path / "two.zip")


def test_two_catalogues_in_one_folder_are_listed(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "styles.csv").touch()
    with pytest.raises(CatalogueError, match=r"found in a, b"):
        open_catalogue(tmp_path)


def test_what_is_no_catalogue_is_told_what_was_expected(tmp_path):
    (tmp_path / "text.zip").write_text("no zip")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "text.zip"):
        with pytest.raises(CatalogueError, match=r"styles\.csv and a folder images/"):
            open_catalogue(path)


def test_a_photo_damaged_inside_the_zip_has_a_reason(tiny_catalogue, tmp_path):
    path = zip_of(tiny_catalogue, tmp_path / "tiny.zip", compression=zipfile.ZIP_STORED)
    photo = (tiny_catalogue / "images" / "1003.jpg").read_bytes()
    path.write_bytes(path.read_bytes().replace(photo, photo[:-9] + b"damaged!!"))
    with open_catalogue(path) as catalogue, pytest.raises(PhotoError) as caught:
        catalogue.read_photo("1003.jpg")
    assert caught.value.reason == Reason.CORRUPT


def test_a_photo_that_unpacks_to_too_much_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("styles.csv", "id")
        archive.writestr("images/1.jpg", bytes(60_000_000))
    with open_catalogue(tmp_path / "bomb.zip") as catalogue, pytest.raises(PhotoError) as caught:
        catalogue.read_photo("1.jpg")
    assert caught.value.reason == Reason.TOO_MANY_BYTES


def test_what_is_nearly_a_catalogue_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "products.xlsx").write_bytes(b"")
    with pytest.raises(CatalogueError, match="Save it as CSV"):
        open_catalogue(tmp_path / "products.xlsx")
    (tmp_path / "styles.csv").write_text("id,articleType\n")
    (tmp_path / "images.zip").write_bytes(b"")
    with open_catalogue(tmp_path) as catalogue, pytest.raises(CatalogueError, match=r"Unpack images\.zip"):
        catalogue.photo_names()
