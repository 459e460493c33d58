from collections import Counter

import pyarrow as pa
import pytest

from hangtag.catalogue.split import split_catalogue
from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.splits import SplitSettings, read_split_facts, read_split_name
from hangtag.domain.errors import CatalogueError


@pytest.fixture
def split(tiny_catalogue):
    """Split the tiny catalogue as a column `split` says, which is given as a function of the product's number."""

    def run(name_of, **settings):
        with open_catalogue(tiny_catalogue) as catalogue:
            cleaned = load_cleaned(tiny_catalogue)
            names = [name_of(int(id_) - 1000) for id_ in cleaned["id"].to_pylist()]
            given = cleaned.append_column("split", pa.array(names, pa.string()))
            return split_catalogue(given, catalogue, SplitSettings(strategy="given", **settings))

    return run


def by_number(table, name):
    ids = table["id"].to_pylist()
    return {int(id_) - 1000: value for id_, value in zip(ids, table[name].to_pylist(), strict=True)}


def test_a_division_that_names_all_splits_is_kept(split):
    names = {0: "Train", 1: "val", 2: "testing", 3: "training", 4: "valid"}
    kept = {0: "train", 1: "validation", 2: "test", 3: "train", 4: "validation"}
    table = split(lambda number: names[number % 5])
    splits = by_number(table, "split")
    assert splits.pop(24) == "dropped"
    assert splits == {number: kept[number % 5] for number in splits}
    assert table.column_names.count("split") == 1
    assert read_split_facts(table)["fractions"] == {}


def test_a_validation_that_is_lacking_is_drawn_from_train_alone(split):
    table = split(lambda number: "test" if number % 4 == 0 else "train", validation=0.2)
    splits = by_number(table, "split")
    assert {number for number, side in splits.items() if side == "test"} == set(range(0, 60, 4)) - {24}
    assert Counter(splits.values()) == {"train": 33, "validation": 12, "test": 14, "dropped": 1}
    drawn = Counter(number // 12 for number, side in splits.items() if side == "validation")
    assert sorted(drawn.values()) == [2, 2, 2, 3, 3]
    assert read_split_facts(table)["fractions"] == {"validation": 0.2}


@pytest.mark.parametrize("seed", range(5))
def test_what_is_drawn_does_not_tear_duplicates_apart(split, seed):
    splits = by_number(split(lambda _number: "train", seed=seed, test=0.3, validation=0.3), "split")
    assert splits[0] == splits[1]
    assert set(splits.values()) == {"train", "validation", "test", "dropped"}


def test_a_product_that_is_put_nowhere_is_dropped_with_a_note(split):
    table = split(lambda number: {0: None, 1: "dropped"}.get(number, ("train", "test")[number % 2]))
    notes, splits = by_number(table, "note"), by_number(table, "split")
    assert (notes[0], notes[1], notes[24], notes[3]) == ("no_split", "no_split", "no_photo", None)
    assert (splits[0], splits[1], splits[3]) == ("dropped", "dropped", "test")


def test_a_name_that_stands_for_no_split_is_refused(split):
    with pytest.raises(CatalogueError, match="column split puts 1007 into 'holdout'"):
        split(lambda number: "holdout" if number == 7 else "train")


@pytest.mark.parametrize(
    "name_of", [lambda _number: "test", lambda number: "train" if number < 2 else "test"]
)
def test_too_small_a_train_to_draw_from_is_refused(split, name_of):
    with pytest.raises(
        CatalogueError, match=r"its train split has \d of 59 products, too few to draw validation"
    ):
        split(name_of)


def test_a_table_without_the_column_is_refused(tiny_catalogue):
    with open_catalogue(tiny_catalogue) as catalogue, pytest.raises(CatalogueError, match="no column split"):
        split_catalogue(load_cleaned(tiny_catalogue), catalogue, SplitSettings(strategy="given"))


def test_a_split_table_keeps_its_own_division(split):
    first = split(lambda number: "test" if number % 4 == 0 else "train", validation=0.2)
    sides = by_number(first, "split")
    assert by_number(split(lambda number: sides[number]), "split") == sides


def test_names_are_read_whatever_their_capitals():
    assert [read_split_name(name) for name in (" TRAIN ", "Dev", "t10k", "")] == [
        "train",
        "validation",
        None,
        None,
    ]
