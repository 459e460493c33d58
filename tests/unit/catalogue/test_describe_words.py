import pyarrow as pa
import pytest

from hangtag.catalogue.describe import Column, Kind, describe_catalogue
from hangtag.catalogue.describe_words import (
    say_balance,
    say_comparison,
    say_notable,
    say_rare,
    say_totals,
)
from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import open_catalogue


def build_column(**counts):
    return Column("articleType", Kind.LEVEL, 0, len(counts), tuple(counts.items()))


@pytest.fixture
def tiny(tiny_catalogue):
    with open_catalogue(tiny_catalogue) as catalogue:
        return describe_catalogue(catalogue, read_cleaned(catalogue).table)


@pytest.fixture
def own(tiny_catalogue):
    """A custom set of two products, one of a class that the catalogue has not."""
    table = pa.table(
        {"id": ["1000", "1001"], "articleType": ["Jeans", "Hats"], "usage": pa.nulls(2, pa.string())}
    )
    with open_catalogue(tiny_catalogue) as catalogue:
        return describe_catalogue(catalogue, table)


def test_totals_are_one_sentence_or_two(tiny, own):
    assert say_totals(tiny, None) == "60 products in 5 classes of articleType, 59 photos."
    assert say_totals(tiny, own).endswith("Next to it, a custom set of 2 products.")


def test_the_largest_and_the_smallest_class_are_named():
    assert say_balance(build_column(Shirts=75, Belts=25)) == (
        "Shirts is the largest of 2 classes with 75.0 % of the products, Belts the smallest with 25."
    )
    many = build_column(**{f"class{number}": 10 for number in range(11)})
    assert say_balance(many).endswith("The largest 6 hold half of the products.")
    assert say_balance(build_column(Shirts=3)) == ""


def test_rare_classes_are_counted():
    assert say_rare(build_column(Shirts=900, Ties=99, Belts=1)) == (
        "2 of 3 classes have fewer than 100 products, 10.0 % of all products together: "
        "hard to learn, and hard to measure."
    )
    assert say_rare(build_column(Shirts=100)) == ""
    assert say_rare(build_column(Shirts=9)).startswith("No class has 100 products")
    assert say_rare(build_column(Shirts=900, Ties=9)).startswith("1 of 2 classes has fewer than 100 products")


def test_a_custom_set_is_compared():
    column = build_column(Shirts=2, Belts=1, Ties=1)
    assert say_comparison(column, build_column(Shirts=1)) == (
        "The custom set has 1 of the 3 classes; it lacks Belts and Ties."
    )
    assert say_comparison(column, column) == "The custom set has 3 of the 3 classes."
    assert "Its Hat is unknown to the catalogue." in say_comparison(column, build_column(Hat=1, Shirts=2))
    many = build_column(**{f"c{number}": 1 for number in range(9)})
    assert "it lacks c1, c2, c3, c4, c5 and 3 more." in say_comparison(many, build_column(c0=1))


def test_what_is_notable_in_a_catalogue(tiny):
    balance, rare, *others = say_notable(tiny, None)
    assert balance.startswith(
        "masterCategory: Apparel is the largest of 3 classes with 60.0 % of the products"
    )
    assert rare.startswith("articleType: No class has 100 products")
    assert others == [
        "1 product has no photo.",
        "33.3 % of the products are of 2010 and 2011; the years reach from 2010 to 2015.",
        "The photos are 60x80 pixels (all of them).",
    ]


def test_what_is_notable_in_a_custom_set(tiny, own):
    said = say_notable(tiny, own)[-2:]
    assert said[0].startswith("articleType: The custom set has 1 of the 5 classes; it lacks")
    assert said[0].endswith("Its Hats is unknown to the catalogue.")
    assert said[1] == "The custom set has no value at all for usage."


def test_a_gap_is_told_with_its_class(tiny_catalogue):
    usage = [None if number < 12 else "Casual" for number in range(60)]
    with open_catalogue(tiny_catalogue) as catalogue:
        table = read_cleaned(catalogue).table
        table = table.set_column(table.column_names.index("usage"), "usage", [usage])
        said = say_notable(describe_catalogue(catalogue, table), None)
    assert (
        "12 products have no usage, and not by chance: 12 in articleType Tshirts "
        "(100.0 %, against 20.0 % of all products)."
    ) in said
