import pyarrow as pa
import pytest

from hangtag.catalogue.describe import PHOTO, Gap, find_gaps

ALL = pa.array([True] * 100)


def build_table(usage):
    """A hundred products, ten of them bags: the last ten."""
    return pa.table(
        {
            "id": [str(number) for number in range(100)],
            "articleType": ["Shirts"] * 90 + ["Bags"] * 10,
            "usage": usage,
            "year": ["2011", "2012"] * 50,
        }
    )


def test_what_is_missing_in_one_class_is_told():
    table = build_table(["Casual"] * 90 + [None] * 9 + ["Casual"])
    assert find_gaps(table, ALL, ["articleType", "usage", "year"]) == (
        Gap("usage", 9, "articleType", "Bags", missing_in_label=9, label_products=10),
    )


def test_photos_are_missing_like_values():
    has_photo = pa.array([True] * 92 + [False] * 8)
    assert [gap.what for gap in find_gaps(build_table(["Casual"] * 100), has_photo, ["articleType"])] == [
        PHOTO
    ]


@pytest.mark.parametrize(
    "usage",
    [
        [None, None, "Casual", "Casual"] * 25,  # all over the catalogue
        [None] * 8 + ["Casual"] * 92,  # in the class that most products have anyway
        ["Casual"] * 98 + [None] * 2,  # too few to tell from chance
        [None] * 100,  # everywhere
        ["Casual"] * 100,  # nowhere
    ],
)
def test_chance_is_no_gap(usage):
    assert find_gaps(build_table(usage), ALL, ["articleType", "usage", "year"]) == ()


def test_one_level_and_one_other_column_explain_a_gap():
    colours = ["Red"] * 80 + ["Blue"] * 20
    table = build_table(["Casual"] * 88 + [None] * 12).append_column("colour", [colours])
    found = find_gaps(table, ALL, ["articleType", "usage", "year", "colour"])
    assert [(gap.column, gap.label, gap.missing_in_label) for gap in found] == [
        ("articleType", "Bags", 10),
        ("colour", "Blue", 12),
    ]
