import os
import zipfile

import pytest

from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.opening import open_catalogue, open_custom_set
from hangtag.domain.errors import CatalogueError, PhotoError


@pytest.fixture
def write_photos(tmp_path):
    """Write files of some bytes, each saying its own name, and return the folder."""

    def write(*names):
        for name in names:
            path = tmp_path / "shop" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.fsencode(name))
        return tmp_path / "shop"

    return write


def rows_of(folder):
    return load_cleaned(folder).to_pylist()


def test_one_folder_for_each_class_gives_the_article_type(write_photos):
    folder = write_photos("Shirts/7.jpg", "Shirts/8.png", "Ankle Boots/7.jpg", "Shirts/note.txt")
    assert rows_of(folder) == [
        {"id": "Ankle Boots/7", "articleType": "Ankle Boots"},
        {"id": "Shirts/7", "articleType": "Shirts"},
        {"id": "Shirts/8", "articleType": "Shirts"},
    ]
    with open_catalogue(folder) as catalogue:
        assert catalogue.name == "shop"
        assert catalogue.photo_names() == {"Shirts/7.jpg", "Shirts/8.png", "Ankle Boots/7.jpg"}
        assert catalogue.read_photo("Shirts/7.jpg") == b"Shirts/7.jpg"


def test_nested_folders_are_levels_and_a_photo_less_deep_has_fewer_labels(write_photos):
    folder = write_photos("Apparel/Topwear/Shirts/1.jpg", "Footwear/2.jpg", "3.jpg")
    assert rows_of(folder) == [
        {"id": "3", "masterCategory": None, "subCategory": None, "articleType": None},
        {"id": "Apparel/Topwear/Shirts/1", "masterCategory": "Apparel", "subCategory": "Topwear"}
        | {"articleType": "Shirts"},
        {"id": "Footwear/2", "masterCategory": "Footwear", "subCategory": None, "articleType": None},
    ]


def test_folders_of_a_published_split_are_the_split(write_photos):
    folder = write_photos("train/dress/1.jpg", "Validation/dress/2.jpg", "test/hat/3.jpg")
    assert [(row["split"], row["articleType"]) for row in rows_of(folder)] == [
        ("Validation", "dress"),
        ("test", "hat"),
        ("train", "dress"),
    ]


def test_classes_that_happen_to_be_called_as_splits_are_classes_where_there_is_no_other(write_photos):
    assert rows_of(write_photos("train/1.jpg", "test/2.jpg"))[0] == {"id": "test/2", "articleType": "test"}


def test_a_single_folder_around_the_classes_is_looked_through(write_photos):
    folder = write_photos("all/hats/1.jpg", "all/bags/2.jpg", "__MACOSX/all/hats/._1.jpg", ".cache/x/1.jpg")
    assert [row["id"] for row in rows_of(folder)] == ["bags/2", "hats/1"]


def test_a_mapping_says_what_the_folders_mean(write_photos):
    folder = write_photos("photos/Women/Shirts/1.jpg", "photos/Men/Shirts/2.jpg")
    (folder / "catalogue.toml").write_text('photos = "photos"\nfolders = ["gender", "articleType"]\n')
    assert rows_of(folder) == [
        {"id": "Men/Shirts/2", "gender": "Men", "articleType": "Shirts"},
        {"id": "Women/Shirts/1", "gender": "Women", "articleType": "Shirts"},
    ]


def test_folders_without_meaning_are_refused(write_photos):
    folder = write_photos("a/b/c/d/1.jpg", "e/2.jpg")
    with pytest.raises(
        CatalogueError, match=r"a/b/c/d/1.jpg lies 4 folders deep, but only 3 .*catalogue\.toml"
    ):
        load_cleaned(folder)


@pytest.mark.parametrize(
    "names", [("1.jpg", "empty/x.txt"), ("images/1.jpg", "other/1.jpg"), ("images/1.jpg",)]
)
def test_photos_without_classes_are_no_catalogue(write_photos, names):
    with pytest.raises(CatalogueError, match=r"styles\.csv and a folder images/"):
        load_cleaned(write_photos(*names))


@pytest.mark.parametrize("name", ["../secret.jpg", "a/../../secret.jpg", "/etc/passwd", "Shirts/none.jpg"])
def test_no_name_leads_out_of_the_folder(write_photos, name):
    folder = write_photos("Shirts/1.jpg", "Hats/1.jpg", "../secret.jpg")
    with open_catalogue(folder) as catalogue, pytest.raises(PhotoError):
        catalogue.read_photo(name)


def test_a_name_that_is_not_utf8_is_an_error_that_says_so(write_photos):
    folder = write_photos("Shirts/1.jpg", "Hats/caf\udce9.jpg")
    with pytest.raises(CatalogueError, match=r"caf\\xe9\.jpg is not UTF-8. Rename the file"):
        load_cleaned(folder)


@pytest.mark.parametrize("table", ["products.csv", "Styles.csv", "styles (1).csv", "styles.xlsx"])
def test_a_table_beside_the_photos_is_not_passed_over(write_photos, table):
    folder = write_photos("photos/1.jpg", "photos/2.jpg", table)
    with pytest.raises(CatalogueError, match="is next to the photos") as caught:
        open_catalogue(folder)
    assert table in caught.value.problem
    assert "catalogue.toml" in caught.value.fix


def test_what_hangtag_itself_wrote_beside_the_photos_is_no_table_of_theirs(write_photos):
    folder = write_photos("Shirts/1.jpg", "Caps/2.jpg", "custom_proposals.csv", "cleaned.csv", "rejects.csv")
    assert len(rows_of(folder)) == 2


def zip_of(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def test_a_zip_with_a_folder_for_each_class_is_a_catalogue(tmp_path):
    path = zip_of(
        tmp_path / "shop.zip", "set/Shirts/7.jpg", "set/Caps/8.png", "set/Caps/x.txt", "__MACOSX/set/._7.jpg"
    )
    assert rows_of(path) == [
        {"id": "Caps/8", "articleType": "Caps"},
        {"id": "Shirts/7", "articleType": "Shirts"},
    ]
    with open_catalogue(path) as catalogue:
        assert catalogue.name == "shop"
        assert catalogue.read_photo("Caps/8.png") == b"set/Caps/8.png"
        assert catalogue.other_files() == {".txt": 1}
        with pytest.raises(PhotoError):
            catalogue.read_photo("Caps/x.txt")
    assert open_custom_set(path) is None


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["Caps/1.jpg", "Hats/2.jpg", "labels.csv"], "labels.csv is next to the photos"),
        (["Caps/1.jpg", "Hats/2.jpg", "catalogue.toml"], "a catalogue.toml is read in a folder only"),
        (["images/1.jpg", "Hats/2.jpg"], "there is no styles.csv"),
        (["1.jpg"], "there is no styles.csv"),
    ],
)
def test_a_zip_whose_folders_may_not_be_classes_is_refused(tmp_path, names, problem):
    with pytest.raises(CatalogueError, match=problem):
        open_catalogue(zip_of(tmp_path / "shop.zip", *names))


def test_another_archive_is_to_be_unpacked(tmp_path):
    path = tmp_path / "shop.tar.gz"
    path.write_bytes(b"")
    with pytest.raises(CatalogueError, match="Unpack it"):
        open_catalogue(path)
