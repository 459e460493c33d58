from collections import Counter

import pyarrow as pa
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.catalogue.clean import clean_catalogue
from hangtag.catalogue.source import open_catalogue
from hangtag.catalogue.split import SplitSettings, read_split_facts, split_catalogue
from hangtag.catalogue.tables import read_table
from hangtag.training.rows import (
    LEFT_OUT,
    PUBLISHED_TEST,
    Joining,
    join_sets,
    limit_rows,
    own_rows,
    rows_by_set,
)

COLUMNS = ("masterCategory", "articleType")


@pytest.fixture
def split_table(tiny_catalogue, tmp_path) -> pa.Table:
    with open_catalogue(tiny_catalogue) as catalogue:
        clean_catalogue(catalogue, tmp_path / "clean")
        settings = SplitSettings(validation=0.2, test=0.2)
        return split_catalogue(read_table(tmp_path / "clean" / "cleaned.parquet"), catalogue, settings)


def count_splits(table: pa.Table) -> Counter[str]:
    return Counter(table.column("split").to_pylist())


def test_a_limit_leaves_out_train_and_validation_rows_alike_and_no_test_row(split_table):
    before, limited = count_splits(split_table), limit_rows(split_table, 10, seed=1)
    after = count_splits(limited)
    assert after["train"] == 10
    assert after["validation"] == round(10 / before["train"] * before["validation"])
    assert after["test"] == before["test"]
    assert sum(after.values()) == sum(before.values())
    notes = Counter(limited.column("note").to_pylist())
    assert notes[LEFT_OUT] == after["dropped"] - before["dropped"]
    assert read_split_facts(limited) == read_split_facts(split_table)


def test_a_limit_is_drawn_by_its_seed_and_may_be_larger_than_the_split(split_table):
    assert limit_rows(split_table, 10, seed=1).equals(limit_rows(split_table, 10, seed=1))
    assert not limit_rows(split_table, 10, seed=1).equals(limit_rows(split_table, 10, seed=2))
    assert limit_rows(split_table, 10_000, seed=1).equals(split_table)


def test_a_joined_set_is_learnt_from_and_its_foreign_labels_are_unknown(
    split_table, tmp_path, write_catalogue
):
    own = write_catalogue(
        b"id,masterCategory,articleType\n1,Apparel,Shirts\n2,Apparel,Ponchos\n3,Home,Curtains\n4,Apparel,Shirts\n"
    )
    for number in (1, 2, 3):
        (own / "images" / f"{number}.jpg").write_bytes(b"")
    with open_catalogue(own) as custom:
        joined = join_sets(split_table, {"custom": custom}, Joining(COLUMNS), tmp_path / "run")
    added = {row["id"]: row for row in joined.slice(split_table.num_rows).to_pylist()}
    assert own_rows(joined).drop_columns("source").equals(split_table)
    assert added["custom:1"]["photo"] == "custom:1.jpg"
    assert [added[f"custom:{n}"]["split"] for n in (1, 2, 3, 4)] == ["train", "train", "dropped", "dropped"]
    assert (added["custom:2"]["masterCategory"], added["custom:2"]["articleType"]) == ("Apparel", None)
    assert [added[f"custom:{n}"]["note"] for n in (3, 4)] == ["no_label", "no_photo"]


def test_a_share_of_a_joined_set_is_kept_back_for_validation(split_table, tmp_path, write_catalogue):
    rows = b"".join(b"%d,Apparel,Shirts\n" % number for number in range(1, 21))
    own = write_catalogue(b"id,masterCategory,articleType\n" + rows)
    for number in range(1, 21):
        (own / "images" / f"{number}.jpg").write_bytes(b"")
    with open_catalogue(own) as custom:
        joining = Joining(COLUMNS, validation=0.25, seed=3)
        joined = join_sets(split_table, {"people": custom}, joining, tmp_path / "run")
        again = join_sets(split_table, {"people": custom}, joining, tmp_path / "again")
    people = rows_by_set(joined)["people"]
    assert count_splits(people) == {"train": 15, "validation": 5}
    assert again.equals(joined)
    assert rows_by_set(split_table) == {}
    assert own_rows(split_table).equals(split_table)


def test_of_a_large_set_a_part_is_drawn_and_nothing_that_others_test_on(
    split_table, tmp_path, write_catalogue
):
    rows = b"".join(
        b"%d,Apparel,Shirts,%s\n" % (number, b"test" if number > 16 else b"train") for number in range(1, 21)
    )
    own = write_catalogue(b"id,masterCategory,articleType,split\n" + rows)
    for number in range(1, 21):
        (own / "images" / f"{number}.jpg").write_bytes(b"")
    with open_catalogue(own) as catalogue:
        joining = Joining(COLUMNS, validation=0.25, largest=8)
        joined = join_sets(split_table, {"shop": catalogue}, joining, tmp_path / "run")
    shop = rows_by_set(joined)["shop"]
    assert count_splits(shop) == {"train": 6, "validation": 2, "dropped": 12}
    notes = Counter(shop.column("note").to_pylist())
    assert notes == {None: 8, LEFT_OUT: 8, PUBLISHED_TEST: 4}
