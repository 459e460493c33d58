import pytest

from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import UsageError
from hangtag.evaluation.photo_set import catalogue_photos

HEADER = b"id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName\n"
ROW = b"1,Men,Apparel,Topwear,Tshirts,Red,Summer,2012,Casual,Acme\n"


def test_a_catalogue_is_a_set_of_all_its_photos(tiny_catalogue):
    with open_catalogue(tiny_catalogue) as catalogue:
        photos = catalogue_photos(catalogue, "custom")
    assert photos.name == "custom"
    assert photos.rows.num_rows == 60
    row = photos.rows.slice(0, 1).to_pylist()[0]
    assert (row["photo"], row["articleType"]) == ("1000.jpg", "Tshirts")
    # The product without a photo stays, and is counted when its photo is not found.
    assert "1024" in photos.rows["photo"].to_pylist()


def test_lines_that_are_no_products_are_in_the_facts(write_catalogue):
    with open_catalogue(write_catalogue(HEADER + ROW + b"x\n")) as catalogue:
        photos = catalogue_photos(catalogue)
    assert photos.facts == {"catalogue": "written", "rejected_lines": 1}
    assert photos.name == "written"


@pytest.mark.parametrize("name", ["test", "train", "validation", "dropped", "custom"])
def test_a_folder_named_like_a_split_is_not_taken_for_it(write_catalogue, name):
    folder = write_catalogue(HEADER + ROW)
    with open_catalogue(folder.rename(folder.with_name(name))) as catalogue:
        assert catalogue_photos(catalogue).name == f"{name} (set)"


def test_some_photos_of_a_set_keep_the_rest_of_it(tiny_catalogue):
    with open_catalogue(tiny_catalogue) as catalogue:
        photos = catalogue_photos(catalogue)
    some = photos.take([3, 1])
    assert some.rows["photo"].to_pylist() == ["1003.jpg", "1001.jpg"]
    assert (some.name, some.facts) == (photos.name, photos.facts)


def test_a_set_without_rows_is_refused(write_catalogue):
    with open_catalogue(write_catalogue(HEADER)) as catalogue, pytest.raises(UsageError, match="no rows"):
        catalogue_photos(catalogue)
