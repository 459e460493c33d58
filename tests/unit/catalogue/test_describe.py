import json
from collections import Counter

import pyarrow as pa
import pytest

from hangtag.catalogue.describe import Kind, describe_catalogue
from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import open_catalogue


@pytest.fixture
def tiny(tiny_catalogue):
    """The statistics of the tiny catalogue, and its cleaned table."""
    with open_catalogue(tiny_catalogue) as catalogue:
        table = read_cleaned(catalogue).table
        return describe_catalogue(catalogue, table), table


def test_totals(tiny):
    statistics, _ = tiny
    assert (statistics.name, statistics.products, statistics.photos) == ("tiny", 60, 59)
    assert (statistics.products_without_photo, statistics.photos_without_product) == (1, 0)
    assert statistics.levels == ("masterCategory", "subCategory", "articleType")
    assert statistics.years == tuple((str(2010 + number), 10) for number in range(6))


def test_every_product_is_in_one_class_or_missing(tiny):
    statistics, table = tiny
    for column in statistics.columns:
        values = Counter(table[column.name].to_pylist())
        assert column.missing == values.pop(None, 0)
        assert column.classes == len(values)
        if column.kind is not Kind.TEXT:
            assert dict(column.counts) == values
            assert [count for _, count in column.counts] == sorted(values.values(), reverse=True)


def test_levels_come_first_and_every_column_has_its_kind(tiny):
    statistics, _ = tiny
    assert [(column.name, column.kind) for column in statistics.columns] == [
        ("masterCategory", Kind.LEVEL),
        ("subCategory", Kind.LEVEL),
        ("articleType", Kind.LEVEL),
        ("gender", Kind.ATTRIBUTE),
        ("baseColour", Kind.ATTRIBUTE),
        ("season", Kind.ATTRIBUTE),
        ("year", Kind.YEAR),
        ("usage", Kind.ATTRIBUTE),
        ("productDisplayName", Kind.TEXT),
    ]
    assert statistics.column("season").missing == 20
    assert statistics.column("price") is None


def test_a_label_under_two_categories_is_counted_in_each_by_the_products_that_it_has_there(tiny_catalogue):
    rows = [
        ("Apparel", "Dress", "Dresses"),
        ("Apparel", "Dress", "Dresses"),
        ("Apparel", "Topwear", "Dresses"),
        ("Apparel", "Topwear", None),
    ]
    levels = ("masterCategory", "subCategory", "articleType")
    table = pa.table(
        {"id": ["1", "2", "3", "4"]}
        | {level: [row[place] for row in rows] for place, level in enumerate(levels)}
    )
    with open_catalogue(tiny_catalogue) as catalogue:
        assert describe_catalogue(catalogue, table).paths == (
            (("Apparel", "Dress", "Dresses"), 2),
            (("Apparel", "Topwear", None), 1),
            (("Apparel", "Topwear", "Dresses"), 1),
        )


def test_samples_show_their_class_and_are_the_same_each_time(tiny, tiny_catalogue):
    statistics, table = tiny
    labels = dict(zip(table["id"].to_pylist(), table["articleType"].to_pylist(), strict=True))
    samples = statistics.samples["articleType"]
    assert {label: len(names) for label, names in samples.items()} == dict.fromkeys(labels.values(), 4)
    assert all(
        labels[name.removesuffix(".jpg")] == label for label, names in samples.items() for name in names
    )
    with open_catalogue(tiny_catalogue) as catalogue:
        backwards = table.take(list(reversed(range(table.num_rows))))
        assert describe_catalogue(catalogue, backwards).samples == statistics.samples


def test_photos_without_a_product_are_counted_and_unreadable_ones_too(tiny_catalogue):
    (tiny_catalogue / "images" / "7.jpg").write_bytes(b"no photo")
    with open_catalogue(tiny_catalogue) as catalogue:
        statistics = describe_catalogue(catalogue, read_cleaned(catalogue).table)
    assert statistics.photos_without_product == 1
    assert statistics.photo_sizes.sizes == (("60x80", 59),)
    assert (statistics.photo_sizes.opened, statistics.photo_sizes.unreadable) == (60, 1)


def test_only_some_of_many_photos_are_opened(tiny_catalogue, monkeypatch):
    monkeypatch.setattr("hangtag.catalogue.describe.OPENED_PHOTOS", 20)
    with open_catalogue(tiny_catalogue) as catalogue:
        statistics = describe_catalogue(catalogue, read_cleaned(catalogue).table)
    assert statistics.photo_sizes.opened == 20
    assert statistics.photos == 59


def test_any_columns_will_do_and_text_is_told_from_classes(tiny_catalogue):
    ids = [str(1000 + number) for number in range(60)]
    table = pa.table(
        {
            "id": ids,
            "remark": [f"remark {number}" for number in range(60)],
            "fabric": ["wool", "silk", None] * 20,
            "articleType": ["Shirts"] * 60,
            "empty": pa.nulls(60, pa.string()),
        }
    )
    with open_catalogue(tiny_catalogue) as catalogue:
        statistics = describe_catalogue(catalogue, table)
    assert statistics.levels == ("articleType",)
    assert statistics.years == ()
    assert {column.name: (column.kind, column.classes, column.missing) for column in statistics.columns} == {
        "articleType": (Kind.LEVEL, 1, 0),
        "remark": (Kind.TEXT, 60, 0),
        "fabric": (Kind.ATTRIBUTE, 2, 20),
        "empty": (Kind.ATTRIBUTE, 0, 60),
    }
    assert set(statistics.samples) == {"articleType", "fabric"}


def test_an_empty_table_is_described(write_catalogue):
    folder = write_catalogue(b"id,masterCategory,subCategory,articleType,year\n")
    with open_catalogue(folder) as catalogue:
        statistics = describe_catalogue(catalogue, read_cleaned(catalogue).table)
    assert (statistics.products, statistics.photos, statistics.gaps) == (0, 0, ())


def test_statistics_are_plain_json(tiny):
    statistics, _ = tiny
    facts = json.loads(json.dumps(statistics.to_json()))
    assert facts["columns"][0] == {
        "name": "masterCategory",
        "kind": "level",
        "missing": 0,
        "classes": 3,
        "counts": [["Apparel", 36], ["Accessories", 12], ["Footwear", 12]],
    }
    assert facts["levels"] == ["masterCategory", "subCategory", "articleType"]
    assert len(facts["samples"]["articleType"]["Jeans"]) == 4
