import pytest

from fakes import build_path_card, encode, paint
from hangtag.catalogue.custom import find_bad_photos, label_by_folders, list_custom_photos
from hangtag.catalogue.custom import write_custom_set as write_table
from hangtag.catalogue.known_labels import KnownLabels
from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.domain.columns import CATALOGUE_COLUMNS
from hangtag.domain.errors import CatalogueError, UsageError


@pytest.fixture
def known():
    paths = [("Apparel", "Topwear", "Shirts"), ("Footwear", "Shoes", "Heels")]
    return KnownLabels.from_card(build_path_card(paths))


@pytest.fixture
def write_photos(tmp_path):
    """Write a photo under each name and return the folder."""

    def write(*names):
        for name in names:
            path = tmp_path / "mine" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(paint("Red")))
        return tmp_path / "mine"

    return write


def test_photos_in_images_custom_are_the_set_and_others_are_not(write_photos):
    folder = write_photos(
        "images_custom/10.png", "images_custom/9.png", "images_custom/Shirts/1.png", "else.png"
    )
    assert list_custom_photos(folder) == ["9.png", "10.png", "Shirts/1.png"]


def test_without_images_custom_the_photos_lie_in_the_folder(write_photos):
    assert list_custom_photos(write_photos("my shirt.png", "Shirts/a.jpg", "note.txt")) == [
        "Shirts/a.jpg",
        "my shirt.png",
    ]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["a.txt"], "there are no photos"),
        (["x/a.jpg", "x/a.png"], r"x/a\.jpg and x/a\.png would both be the product x/a\. Rename one"),
        (["a  b.jpg", "a b.jpg"], "would both be the product a b"),
        (["null.jpg"], "null.jpg cannot be used"),
    ],
)
def test_photos_that_cannot_all_bear_an_id_are_refused(write_photos, names, problem):
    with pytest.raises(CatalogueError, match=problem):
        list_custom_photos(write_photos(*names))


def test_the_photos_of_a_catalogue_are_nobody_s_own(tiny_catalogue):
    with pytest.raises(UsageError, match=r"is a catalogue.*into images_custom/"):
        list_custom_photos(tiny_catalogue)


def test_folders_give_labels_and_those_that_do_not_are_named(known):
    names = ["flat.jpg", "shirts/1.jpg", "shirts/2.jpg", "Heals/1.jpg", "Footwear/Heels/1.jpg"]
    labelling = label_by_folders(names, known)
    assert {name: labels.get("articleType") for name, labels in labelling.labels.items()} == {
        "shirts/1.jpg": "Shirts",
        "shirts/2.jpg": "Shirts",
        "Heals/1.jpg": None,
        "Footwear/Heels/1.jpg": "Heels",
    }
    assert labelling.problems == {"Heals/": "there is no label Heals. Did you mean Heels?"}


def test_photos_that_cannot_be_opened_are_found(write_photos):
    folder = write_photos("a.png", "b.png")
    (folder / "b.png").write_bytes(b"no photo")
    assert find_bad_photos(folder, ["a.png", "b.png"]) == {"b.png": "not_a_photo: the file is not a photo"}


def test_the_table_is_a_catalogue_with_a_row_for_each_photo(write_photos):
    folder = write_photos("2.png", "10.png", 'Shirts/a, "b".png', "Shirts/10.png")
    names = list_custom_photos(folder)
    labels = {
        "2.png": {"masterCategory": "Footwear"},
        "Shirts/10.png": {"articleType": "Shirts", "year": "2012"},
    }
    table = write_table(folder, names, labels)
    assert table.name == "custom_clothing_metadata.csv"
    cleaned = load_cleaned(folder)
    assert cleaned.column_names == list(CATALOGUE_COLUMNS)
    rows = {row["id"]: row for row in cleaned.to_pylist()}
    assert list(rows) == ["2", "10", "Shirts/10", 'Shirts/a, "b"']
    assert rows["2"]["masterCategory"] == "Footwear"
    assert rows["2"]["articleType"] is None
    assert rows["2"]["productDisplayName"] == "Footwear photo 2"
    assert rows["10"]["productDisplayName"] == "photo 10"
    assert (rows["Shirts/10"]["year"], rows["Shirts/10"]["productDisplayName"]) == ("2012", "Shirts photo 10")
    with open_catalogue(folder) as catalogue:
        assert catalogue.photo_names() == set(names)


def test_the_layout_of_the_usual_custom_set_comes_out_again(tiny_catalogue, write_custom_set):
    before = write_custom_set(tiny_catalogue).read_text()
    labels = {
        "gender": "Unisex",
        "masterCategory": "Apparel",
        "subCategory": "Topwear",
        "articleType": "Shirts",
    }
    names = list_custom_photos(tiny_catalogue)
    assert write_table(tiny_catalogue, names, dict.fromkeys(names, labels)).read_text() == before
