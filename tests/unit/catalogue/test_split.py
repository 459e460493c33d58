from collections import Counter, defaultdict

import pyarrow as pa
import pytest

from hangtag.catalogue.split import split_catalogue
from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.splits import SplitSettings, read_split_facts
from hangtag.domain.errors import CatalogueError, UsageError

SHARES = {"test": 0.2, "validation": 0.1}


@pytest.fixture
def split(tiny_catalogue):
    def run(change=lambda table: table, **settings):
        with open_catalogue(tiny_catalogue) as catalogue:
            cleaned = change(load_cleaned(tiny_catalogue))
            return split_catalogue(cleaned, catalogue, SplitSettings(**SHARES | settings))

    return run


def column(table, name):
    return dict(zip(table["id"].to_pylist(), table[name].to_pylist(), strict=True))


def test_every_product_is_in_the_table_with_all_its_columns(split, tiny_catalogue):
    table = split()
    cleaned = load_cleaned(tiny_catalogue)
    assert table.column_names == [*cleaned.column_names, "photo", "group", "split", "note"]
    assert table.select(cleaned.column_names).to_pylist() == cleaned.to_pylist()
    assert table.schema.field("group").type == pa.int64()


def test_the_shares_are_met(split):
    counts = Counter(column(split(), "split").values())
    assert counts == {"train": 41, "validation": 6, "test": 12, "dropped": 1}


def test_a_product_without_photo_is_dropped_with_a_note(split):
    table = split()
    assert column(table, "split")["1024"] == "dropped"
    assert column(table, "note")["1024"] == "no_photo"
    assert column(table, "photo")["1024"] is None
    assert column(table, "photo")["1025"] == "1025.jpg"
    assert set(column(table, "note").values()) == {None, "no_photo"}


def test_a_photo_that_cannot_be_decoded_is_dropped_with_its_reason(split, tiny_catalogue):
    (tiny_catalogue / "images" / "1030.jpg").write_bytes(b"no photo")
    table = split()
    assert column(table, "note")["1030"] == "photo_not_a_photo"
    assert column(table, "split")["1030"] == "dropped"


def test_a_product_without_a_label_is_dropped_with_a_note(split):
    table = split(stratify_by="season")
    notes = column(table, "note")
    assert notes["1002"] == "no_label"
    assert Counter(notes.values()) == {None: 39, "no_label": 20, "no_photo": 1}


@pytest.mark.parametrize("seed", range(10))
def test_duplicates_are_never_on_two_sides(split, seed):
    table = split(seed=seed)
    sides = defaultdict(set)
    for group, side in zip(table["group"].to_pylist(), table["split"].to_pylist(), strict=True):
        sides[group].add(side)
    assert all(len(found) == 1 for found in sides.values())
    assert column(table, "group")["1000"] == column(table, "group")["1001"]
    assert len(sides) == 59


def test_a_random_split_does_not_heed_duplicates(split):
    sides = [column(split(strategy="random", seed=seed), "split") for seed in range(10)]
    assert any(side["1000"] != side["1001"] for side in sides)


def test_a_split_by_year_puts_the_newest_into_test(split):
    table = split(strategy="year")
    used = [row for row in table.to_pylist() if row["split"] != "dropped"]
    years = {
        side: {row["year"] for row in used if row["split"] == side}
        for side in ("train", "validation", "test")
    }
    assert max(years["train"]) < min(years["validation"])
    assert max(years["validation"]) < min(years["test"])


def test_the_order_of_the_rows_does_not_matter(split):
    backwards = split(lambda table: table.take(list(reversed(range(table.num_rows)))))
    assert backwards.equals(split(), check_metadata=True)


def test_the_seed_decides(split):
    assert split(seed=7).equals(split(seed=7))
    assert column(split(seed=7), "split") != column(split(seed=8), "split")


def test_rare_classes_are_dropped_by_choice(split):
    dropped = split(min_examples=12, rare="drop")
    assert Counter(column(dropped, "note").values()) == {None: 48, "no_photo": 1, "rare_class": 11}
    kept = split(min_examples=12, rare="keep")
    assert "rare_class" not in column(kept, "note").values()


def test_the_facts_travel_in_the_table(split):
    facts = read_split_facts(split(seed=7))
    assert facts == {
        "strategy": "grouped",
        "seed": 7,
        "stratify_by": "articleType",
        "min_examples": 100,
        "rare": "keep",
        "fractions": {"validation": 0.1, "test": 0.2},
        "counts": {"train": 41, "validation": 6, "test": 12, "dropped": 1},
    }


def test_a_split_table_can_be_split_again(split):
    first = split()
    assert split(lambda _cleaned: first).equals(first)


@pytest.mark.parametrize(
    "settings",
    [
        {"test": 0},
        {"validation": 1.0},
        {"test": 0.6, "validation": 0.4},
        {"strategy": "best"},
        {"rare": "hide"},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(UsageError):
        SplitSettings(**settings)


def test_an_unknown_column_to_stratify_by_is_named(split):
    with pytest.raises(CatalogueError, match="no column price"):
        split(stratify_by="price")


def test_an_id_that_comes_twice_is_refused(split):
    with pytest.raises(CatalogueError, match="id 1000 is missing or duplicated"):
        split(lambda table: pa.concat_tables([table, table.slice(0, 1)]))


def test_a_table_that_does_not_belong_to_the_photos_is_refused(split):
    def rename(table):
        return table.set_column(0, "id", pa.array([f"x{number}" for number in range(table.num_rows)]))

    with pytest.raises(CatalogueError, match="Check that the photos belong to this table"):
        split(rename)


def sides_of(table, name):
    sides = defaultdict(set)
    for value, split in zip(table[name].to_pylist(), table["split"].to_pylist(), strict=True):
        if split != "dropped":
            sides[value].add(split)
    return sides


def with_sku(table, name="sku"):
    """Put every fourth product under one SKU; the others have none."""
    values = [f"S{row % 7}" if row % 4 else None for row in range(table.num_rows)]
    return table.append_column(name, pa.array(values, pa.string()))


def test_the_values_of_a_column_stay_on_one_side(split):
    torn = sides_of(split(with_sku), "sku")
    kept = split(with_sku, group_by="sku")
    skus = [value for value in torn if value is not None]
    assert any(len(torn[sku]) > 1 for sku in skus)
    assert all(len(sides) == 1 for value, sides in sides_of(kept, "sku").items() if value is not None)
    assert all(len(sides) == 1 for sides in sides_of(kept, "group").values())
    assert read_split_facts(kept)["group_by"] == "sku"


def test_the_column_that_a_mapping_names_is_kept_together_unasked(split):
    table = split(lambda table: with_sku(table, "product_group"))
    assert all(len(sides) == 1 for value, sides in sides_of(table, "product_group").items() if value)
    assert "group_by" not in read_split_facts(split())


def test_what_keeps_nothing_together_takes_no_column_to_keep_together(split):
    with pytest.raises(UsageError, match="does not keep groups together"):
        split(strategy="random", group_by="sku")
    with pytest.raises(CatalogueError, match="no column sku"):
        split(group_by="sku")
