import pytest

from fakes import build_path_card
from hangtag.catalogue.custom import label_by_file, write_proposals
from hangtag.catalogue.known_labels import KnownLabels
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import CatalogueError, UsageError

PATHS = [
    ("Apparel", "Topwear", "Shirts"),
    ("Apparel", "Topwear", "Belts"),
    ("Accessories", "Belts", "Belts"),
    ("Footwear", "Shoes", "Heels"),
]
NAMES = ["1.jpg", "Shirts/2.png", "Shirts/same.jpg", "Heels/same.jpg"]


@pytest.fixture
def known():
    return KnownLabels.from_card(build_path_card(PATHS))


@pytest.fixture
def label(tmp_path, known):
    def run(text):
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return label_by_file(path, NAMES, known)

    return run


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("1.jpg", "1.jpg"),
        ("1", "1.jpg"),
        ("./photos/1.jpg", "1.jpg"),
        ("Shirts/2", "Shirts/2.png"),
        ("C:\\mine\\Shirts\\2.png", "Shirts/2.png"),
        ("2.png", "Shirts/2.png"),
        ("2", "Shirts/2.png"),
        ("/home/me/Heels/same.jpg", "Heels/same.jpg"),
    ],
)
@pytest.mark.parametrize("column", ["photo", "file", "path", "id"])
def test_a_photo_may_be_written_in_several_ways(label, written, name, column):
    labelling = label(f"{column},articleType\n{written},shirts\n")
    assert labelling.labels == {name: dict(zip(CATEGORY_COLUMNS, PATHS[0], strict=True))}
    assert labelling.problems == {}


def test_other_columns_of_a_product_are_taken_along(label):
    text = (
        "id,articleType,articleType_confidence,year,productDisplayName,price\n1,Heels,0.9,2012,My heels,9\n"
    )
    assert label(text).labels["1.jpg"] == dict(zip(CATEGORY_COLUMNS, PATHS[3], strict=True)) | {
        "year": "2012",
        "productDisplayName": "My heels",
    }


def test_every_row_that_cannot_be_used_is_named(label):
    labelling = label(
        "file,articleType\n1.jpg,Shrits\nsame.jpg,Heels\nnone.jpg,Heels\n2.png,Heels\n2,Heels\n2.jpeg,\n"
    )
    assert labelling.problems == {
        "row 1 (1.jpg)": "there is no articleType Shrits. Did you mean Shirts?",
        "row 2": "same.jpg; several photos could be meant: Heels/same.jpg, Shirts/same.jpg",
        "row 3": "there is no photo none.jpg",
        "row 5": "2 occurs twice",
        "row 6": "there is no photo 2.jpeg; there is Shirts/2.png",
    }


def test_a_doubt_is_told(label):
    assert label("file,articleType\n1,Belts\n").doubts == {
        "row 1 (1)": "read as Accessories › Belts › Belts, not as Apparel › Topwear › Belts"
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name,articleType\n", "no column that names the photos. Call it photo or file or path or id"),
        ("file,price\n", "no column of labels"),
        ("file,articletyp\n", r"no column of labels. Did you mean articleType\?"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(label, text, problem):
    with pytest.raises(UsageError, match=problem):
        label(text)


def test_a_table_that_is_not_there_is_refused(tmp_path, known):
    with pytest.raises(CatalogueError, match="no such table"):
        label_by_file(tmp_path / "none.csv", NAMES, known)


def test_proposals_can_be_read_back(tmp_path, known):
    path = tmp_path / "proposals.csv"
    labels = {"1.jpg": dict(zip(CATEGORY_COLUMNS, PATHS[0], strict=True))}
    proposals = {
        "Shirts/2.png": {"articleType": ("Heels", 0.54321), "subCategory": ("Shoes", 1.0)},
        "1.jpg": {"articleType": ("Belts", 0.9)},
    }
    write_proposals(path, NAMES, labels, proposals)
    assert path.read_text().splitlines() == [
        ",".join(["photo", *(part for level in CATEGORY_COLUMNS for part in (level, f"{level}_confidence"))]),
        "1.jpg,Apparel,,Topwear,,Shirts,",
        "Shirts/2.png,,,Shoes,1.0000,Heels,0.5432",
        "Shirts/same.jpg,,,,,,",
        "Heels/same.jpg,,,,,,",
    ]
    labelling = label_by_file(path, NAMES, known)
    assert labelling.problems == {}
    assert labelling.labels["Shirts/2.png"]["masterCategory"] == "Footwear"
    assert labelling.labels["Heels/same.jpg"] == {}


def test_a_header_in_other_capitals_and_stray_spaces_are_understood(label):
    labelling = label("sep=;\nFile; articletype \n1.jpg;  Shirts \n")
    assert labelling.labels == {"1.jpg": dict(zip(CATEGORY_COLUMNS, PATHS[0], strict=True))}


def test_columns_are_found_by_their_usual_names_however_they_are_written(label):
    assert label("Image_Name,Article Type\n1.jpg,heels\n").labels["1.jpg"]["articleType"] == "Heels"


def test_a_table_without_the_columns_says_which_it_has(label):
    with pytest.raises(UsageError) as no_photos:
        label("kind,colour\n1.jpg,red\n")
    assert no_photos.value.fix == "Call it photo or file or path or id. Its columns are kind, colour."
    with pytest.raises(UsageError) as no_labels:
        label("photo,colour\n1.jpg,red\n")
    assert no_labels.value.fix.endswith("usage. Its columns are photo, colour.")
