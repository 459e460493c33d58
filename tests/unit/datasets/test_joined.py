import pytest

from hangtag.datasets.opening import JoinedCatalogue, joined_name, open_catalogue
from hangtag.domain.errors import PhotoError
from hangtag.tables.matching import product_id


@pytest.fixture
def joined(tiny_catalogue, write_custom_set):
    custom = write_custom_set(tiny_catalogue)
    return JoinedCatalogue(open_catalogue(tiny_catalogue), {"custom": open_catalogue(custom)})


def test_the_photos_of_all_are_there_under_their_catalogue_s_name(joined, tiny_catalogue):
    names = joined.photo_names()
    assert len(names) == 59 + 2
    assert {"1000.jpg", "custom:1.jpg", "custom:2.jpg"} <= names
    own = tiny_catalogue / "images_custom" / "1.jpg"
    assert joined.read_photo(joined_name("custom", "1.jpg")) == own.read_bytes()
    assert joined.read_photo("1000.jpg") == (tiny_catalogue / "images" / "1000.jpg").read_bytes()


def test_a_photo_s_name_gives_the_id_of_the_joined_product():
    assert product_id(joined_name("custom", "1.jpg")) == joined_name("custom", "1")


@pytest.mark.parametrize("name", ["other:1.jpg", "custom:9.jpg", "custom:../styles.csv", "1.jpg"])
def test_a_photo_that_none_has_is_not_found(joined, name):
    with joined, pytest.raises(PhotoError):
        joined.read_photo(name)


def test_the_table_is_the_main_catalogue_s(joined, tiny_catalogue):
    with joined.open_table() as table:
        assert table.read() == (tiny_catalogue / "styles.csv").read_bytes()
    assert joined.name == "tiny + tiny (custom)"
