import unicodedata

import pytest

from hangtag.tables.matching import Likeness, NameMatcher, has_photo_ending, match_products, product_id


def found(names, value, weakest=Likeness.PREFIX):
    match = NameMatcher(names).find(value, weakest)
    return [names[position] for position in match.photos], match


NFD = unicodedata.normalize("NFD", "Blüse.jpg")


@pytest.mark.parametrize(
    ("name", "written", "likeness"),
    [
        ("a 1.jpg", "a 1.jpg", Likeness.EXACT),
        ("a 1.jpg", "a 1", Likeness.EXACT),
        (NFD, "Blüse.jpg", Likeness.SPELLING),
        ("Blüse.jpg", NFD, Likeness.SPELLING),
        ("img/a 1.jpg", "img\\a 1.jpg", Likeness.SPELLING),
        ("img/a.jpg", ".\\img\\a.jpg", Likeness.SPELLING),
        ("img/a.jpg", "/img//a.jpg", Likeness.SPELLING),
        ("IMG_1.JPG", "IMG_1.jpg", Likeness.ENDING),
        ("a.jpeg", "a.jpg", Likeness.ENDING),
        ("Shop/IMG_1.JPG", "shop/img_1.jpg", Likeness.CAPITALS),
        ("STRASSE.jpg", "straße", Likeness.CAPITALS),
        ("blüse 1.png", "bl%C3%BCse%201.png", Likeness.ENCODING),
        ("bl%C3%BCse.png", "blüse.png", Likeness.ENCODING),
        ("a+b.png", "https://cdn.example/a%2Bb.png?v=2", Likeness.ENCODING),
        ("a+b.png", "https://cdn.example/f/a%2Bb.png#top", Likeness.FOLDER),
        ("010/0108775015.jpg", "0108775015", Likeness.FOLDER),
        ("a.jpg", "C:\\shop\\photos\\a.jpg", Likeness.FOLDER),
        ("15970.jpg", "15970.0", Likeness.NUMBER),
        ("0108775015.jpg", "108775015", Likeness.NUMBER),
        ("010/0108775015.jpg", "108775015.0", Likeness.NUMBER),
        ("SKU-1000_front.jpg", "SKU-1000", Likeness.PREFIX),
        ("sku-1000 (2).jpg", "SKU-1000", Likeness.PREFIX),
        ("SKU-1000/1.jpg", "SKU-1000", Likeness.PREFIX),
    ],
)
def test_a_photo_is_found_however_its_name_is_written(name, written, likeness):
    names = ["other.jpg", name]
    assert found(names, written)[0] == [name]
    assert found(names, written)[1].likeness is likeness
    assert found(names, written, Likeness(likeness - 1))[0] == [] if likeness else True


def test_what_is_written_exactly_wins():
    names = ["a.png", "A.png", "x/A.png", "A.PNG"]
    for name in names:
        assert found(names, name)[0] == [name]


@pytest.mark.parametrize(
    ("names", "written", "candidates"),
    [
        (["Ab.jpg", "aB.jpg"], "ab.jpg", ("Ab.jpg", "aB.jpg")),
        (["x/7.jpg", "y/7.jpg"], "7.jpg", ("x/7.jpg", "y/7.jpg")),
        (["x/7.jpg", "y/7.jpg"], "7", ("x/7.jpg", "y/7.jpg")),
        (["a.jpg", "a.jpeg"], "a.JPG", ("a.jpeg", "a.jpg")),
    ],
)
def test_a_choice_is_told_and_not_made(names, written, candidates):
    photos, match = found(names, written)
    assert (photos, match.candidates, match.is_ambiguous) == ([], candidates, True)
    assert match.explain() == f"several photos could be meant: {', '.join(candidates)}"


@pytest.mark.parametrize(
    ("name", "written"), [("IMG-1.jpg", "IMG_1.jpg"), ("1.png", "1.jpg"), ("shop/a b.jpg", "ab")]
)
def test_what_is_nearly_alike_is_told_and_not_taken(name, written):
    photos, match = found([name, "other.jpg"], written)
    assert (photos, match.candidates, match.is_ambiguous) == ([], (name,), False)
    assert match.explain() == f"there is {name}"


def test_nothing_alike_is_nothing():
    for written in ("b.jpg", "", "  ", "/", "é", "https://cdn.example/", "A1"):
        assert found(["a.jpg", "A10.jpg"], written)[0] == []


def test_another_folder_is_only_taken_when_asked_for_and_there_is_no_choice():
    assert found(["x/7.jpg"], "y/7.jpg")[0] == []
    assert found(["x/7.jpg"], "y/7.jpg")[1].candidates == ("x/7.jpg",)
    assert found(["x/7.jpg"], "y/7.jpg", Likeness.OTHER_FOLDER)[0] == ["x/7.jpg"]
    assert found(["x/7.jpg", "z/7.jpg"], "y/7.jpg", Likeness.OTHER_FOLDER)[0] == []
    assert found(["x/7.jpg", "b/y/7.jpg"], "a/b/y/7.jpg", Likeness.OTHER_FOLDER)[0] == ["b/y/7.jpg"]


def test_an_id_means_all_photos_of_a_product_and_a_file_name_one():
    names = ["1.jpg", "1.png", "SKU_b.jpg", "SKU_a.jpg", "SKUNK.jpg"]
    assert found(names, "1")[0] == ["1.jpg", "1.png"]
    assert found(names, "1.png")[0] == ["1.png"]
    assert found(names, "SKU")[0] == ["SKU_a.jpg", "SKU_b.jpg"]


def test_a_photo_goes_to_the_value_that_means_it_most_surely():
    names = ["A.png", "SKU-1.jpg", "SKU-1-2.jpg", "SKU-1-2-back.jpg"]
    matches = NameMatcher(names).match_all(["A.png", "a.png", "SKU-1", "SKU-1-2", "SKU"])
    photos = {value: [names[place] for place in match.photos] for value, match in matches.items()}
    assert photos == {
        "A.png": ["A.png"],
        "a.png": [],
        "SKU-1": ["SKU-1.jpg"],
        "SKU-1-2": ["SKU-1-2.jpg"],
        "SKU": [],
    }
    assert matches["a.png"].candidates == ("A.png",)


def test_the_same_name_twice_is_both():
    assert NameMatcher(["a.jpg", "a.jpg"]).find("a.jpg").photos == (0, 1)


def test_products_find_their_photos_and_photos_their_products():
    names = {"1.png", "1.jpg", "back/1.jpg", "2_front.jpg", "2_back.jpg", "9.jpg"}
    photos = match_products(["1", "2", "3"], names)
    assert photos.photo_of == {"1": "1.jpg", "2": "2_back.jpg"}
    assert photos.id_of == {
        "1.jpg": "1",
        "1.png": "1",
        "back/1.jpg": "1",
        "2_back.jpg": "2",
        "2_front.jpg": "2",
    }


def test_an_id_is_a_name_without_the_ending_of_a_photo():
    assert product_id("Shirts/7.JPG") == "Shirts/7"
    assert product_id("a.b.jpeg") == "a.b"
    assert product_id("photo") == "photo"
    assert product_id(" a   b\u200b.png") == "a b"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a.JPG", True),
        (" shop/a.jfif ", True),
        ("https://shop.example/a.webp?w=3.5", True),
        ("https://shop.example/a.png#front", True),
        ("https://shop.example/show?photo=a.jpg", True),
        ("what?.jpg", True),
        ("jpg", False),
        ("a.jpg.txt", False),
        ("https://shop.example/a?w=3.5#b", False),
        ("", False),
    ],
)
def test_a_photo_has_its_ending_before_or_after_a_query(written, expected):
    assert has_photo_ending(written) is expected
