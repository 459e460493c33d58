import pytest

from hangtag.server.jobs.given_table import GivenTable
from hangtag.server.jobs.matching import match_rows
from hangtag.server.problems import InvalidRequestError


def table(header, *rows):
    return GivenTable("list.csv", tuple(header), [tuple(row) for row in rows], list(range(2, len(rows) + 2)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("front/a.jpg", (0,)),
        ("FRONT\\A.JPG", (0,)),
        ("./back/a.jpg", (1,)),
        ("a.jpg", ()),
        ("15970", (2,)),
        ("15970.png", (2,)),
        ("/shop/photos/15970.PNG", (2,)),
        ("https://shop.example/15970.png?size=2", (2,)),
        ("15970.jpg", ()),
        ("grün", (3,)),
        ("", ()),
        ("  ", ()),
    ],
)
def test_a_photo_is_found_however_a_table_writes_it(value, expected):
    names = ["front/a.jpg", "back/a.jpg", "15970.png", "gru\u0308n.jpg", ".jpg"]
    assert match_rows(table(["photo"], [value], ["15970"]), names).rows[0] == expected


def test_the_column_is_found_by_its_values():
    found = match_rows(table(["nr", "bild"], ["1", "b.jpg"], ["2", "a.jpg"]), ["a.jpg", "b.jpg"])
    assert (found.column, found.rows) == (1, [(1,), (0,)])


def test_names_of_files_go_before_names_without_ending():
    names = ["1.jpg", "2.jpg", "3.jpg"]
    found = match_rows(table(["rank", "photo"], ["1", "3.jpg"], ["2", "2.jpg"], ["3", "1.jpg"]), names)
    assert (found.column, found.rows) == (1, [(2,), (1,), (0,)])


def test_an_id_and_a_file_name_may_say_the_same():
    found = match_rows(table(["id", "photo"], ["7", "7.jpg"], ["8", "8.jpg"]), ["7.jpg", "8.jpg"])
    assert found.rows == [(0,), (1,)]


def test_an_accident_is_no_rival():
    rows = [[f"{number}", f"{number * 10}"] for number in range(1, 9)]
    names = [f"{number}.jpg" for number in range(1, 9)] + ["80.jpg"]
    assert match_rows(table(["id", "price"], *rows), names).column == 0


def test_two_columns_of_photos_are_a_question_to_the_sender():
    two = table(["front", "back", "price"], ["a1.jpg", "a2.jpg", "5"], ["b1.jpg", "b2.jpg", "6"])
    names = ["a1.jpg", "a2.jpg", "b1.jpg", "b2.jpg"]
    with pytest.raises(
        InvalidRequestError, match=r"'front' and 'back' of list.csv name different photos"
    ) as refused:
        match_rows(two, names)
    assert "its columns are front, back, price" in str(refused.value)
    (error,) = refused.value.errors
    assert (error.field, error.choices) == ("photo_column", ["front", "back"])
    assert match_rows(two, names, "back").rows == [(1,), (3,)]


def test_the_question_can_be_answered_of_a_table_without_a_header():
    two = table(["a1.jpg", "a2.jpg"], ["b1.jpg", "b2.jpg"])
    names = ["a1.jpg", "a2.jpg", "b1.jpg", "b2.jpg"]
    with pytest.raises(InvalidRequestError) as refused:
        match_rows(two, names)
    first, second = refused.value.errors[0].choices or []
    assert match_rows(two, names, first).rows == [(0,), (2,)]
    assert match_rows(two, names, second).rows == [(1,), (3,)]


def test_a_table_about_something_else_says_its_columns():
    with pytest.raises(
        InvalidRequestError, match=r"no column of list.csv names the photos; its columns are id, price"
    ):
        match_rows(table(["id", "price"], ["1", "2"]), ["a.jpg"])


def test_an_unknown_column_is_refused():
    with pytest.raises(
        InvalidRequestError, match="photo_column: the table has no column 'Bild'; its columns are photo"
    ):
        match_rows(table(["photo"], ["a.jpg"]), ["a.jpg"], "Bild")


def test_a_list_without_a_header_loses_no_row():
    found = match_rows(table(["a.jpg", "5"], ["b.jpg", "6"]), ["a.jpg", "b.jpg"])
    assert found.table.header == ("column 1", "column 2")
    assert found.table.rows == [("a.jpg", "5"), ("b.jpg", "6")]
    assert found.table.numbers == [1, 2]
    assert found.rows == [(0,), (1,)]
