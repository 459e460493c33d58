import io
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the extra `train` is not installed")

from fakes import encode
from hangtag.bundle.card import SourceCard
from hangtag.catalogue.clean import clean_catalogue
from hangtag.catalogue.split import split_catalogue
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.splits import SplitSettings, read_split_facts
from hangtag.tables.tables import read_table
from hangtag.training.rows import (
    HELD_OUT,
    LEFT_OUT,
    PUBLISHED_TEST,
    Joining,
    join_sets,
    learn_everything,
    limit_rows,
    own_rows,
    read_sources,
    rows_by_set,
)

COLUMNS = ("masterCategory", "articleType")


@pytest.fixture
def main(tiny_catalogue):
    with open_catalogue(tiny_catalogue) as catalogue:
        yield catalogue


@pytest.fixture
def split_table(main, tmp_path) -> pa.Table:
    clean_catalogue(main, tmp_path / "clean")
    settings = SplitSettings(validation=0.2, test=0.2)
    return split_catalogue(read_table(tmp_path / "clean" / "cleaned.parquet"), main, settings)


@pytest.fixture
def join(main, split_table, tmp_path):
    """Join further sets: each a list of photos, the bytes of a file, all of them shirts."""

    def join(joining, **photos):
        sets = {}
        for name, files in photos.items():
            folder = tmp_path / name / "shirts"
            (folder / "images").mkdir(parents=True)
            lines = ["id,masterCategory,articleType"]
            for number, data in enumerate(files, start=1):
                (folder / "images" / f"{number}.jpg").write_bytes(data)
                lines.append(f"{number},Apparel,Shirts")
            (folder / "styles.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
            sets[name] = open_catalogue(folder)
        return rows_by_set(join_sets(split_table, (main, sets), joining, tmp_path / "run"))

    return join


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


def label_table(**splits) -> pa.Table:
    """Return a split table with a row for each of the labels, such as train="aab"."""
    rows = [(split, label) for split, labels in splits.items() for label in labels]
    return pa.table(
        {
            "split": [split for split, _ in rows],
            "note": pa.nulls(len(rows), pa.string()),
            "articleType": [label for _, label in rows],
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_limit_leaves_each_class_its_share_and_a_train_photo(seed):
    table = label_table(train="a" * 60 + "b" * 38 + "cd", validation="a" * 30 + "b" * 20, test="abcd")
    limited = limit_rows(table, 20, seed, ["articleType"]).filter(pc.field("split") != "dropped")
    counts = Counter(zip(limited["split"].to_pylist(), limited["articleType"].to_pylist(), strict=True))
    assert {label: counts["train", label] for label in "cd"} == {"c": 1, "d": 1}
    assert abs(counts["train", "a"] - 11) <= 1
    assert (counts["validation", "a"], counts["validation", "b"]) == (6, 4)
    assert sum(counts["train", label] for label in "abcd") == 20


def test_a_limit_smaller_than_the_classes_keeps_the_large_ones():
    limited = limit_rows(label_table(train="aaaabbbcd", validation="d"), 4, 1, ["articleType"])
    kept = [row["articleType"] for row in limited.to_pylist() if row["split"] == "train"]
    assert len(kept) == 4
    assert {"a", "b"} <= set(kept)


def test_a_limit_is_drawn_by_its_seed_and_may_be_larger_than_the_split(split_table):
    assert limit_rows(split_table, 10, seed=1).equals(limit_rows(split_table, 10, seed=1))
    assert not limit_rows(split_table, 10, seed=1).equals(limit_rows(split_table, 10, seed=2))
    assert limit_rows(split_table, 10_000, seed=1).equals(split_table)


def test_a_joined_set_is_learnt_from_and_its_foreign_labels_are_unknown(
    main, split_table, tmp_path, write_catalogue
):
    own = write_catalogue(
        b"id,masterCategory,articleType\n1,Apparel,Shirts\n2,Apparel,Ponchos\n3,Home,Curtains\n4,Apparel,Shirts\n"
    )
    for number in (1, 2, 3):
        (own / "images" / f"{number}.jpg").write_bytes(b"")
    with open_catalogue(own) as custom:
        joined = join_sets(split_table, (main, {"custom": custom}), Joining(COLUMNS), tmp_path / "run")
    added = {row["id"]: row for row in joined.slice(split_table.num_rows).to_pylist()}
    assert own_rows(joined).drop_columns("source").equals(split_table)
    assert added["custom:1"]["photo"] == "custom:1.jpg"
    assert [added[f"custom:{n}"]["split"] for n in (1, 2, 3, 4)] == ["train", "train", "dropped", "dropped"]
    assert (added["custom:2"]["masterCategory"], added["custom:2"]["articleType"]) == ("Apparel", None)
    assert [added[f"custom:{n}"]["note"] for n in (3, 4)] == ["no_label", "no_photo"]


def test_a_share_of_a_joined_set_is_kept_back_for_validation(main, split_table, tmp_path, write_catalogue):
    rows = b"".join(b"%d,Apparel,Shirts\n" % number for number in range(1, 21))
    own = write_catalogue(b"id,masterCategory,articleType\n" + rows)
    for number in range(1, 21):
        (own / "images" / f"{number}.jpg").write_bytes(b"")
    with open_catalogue(own) as custom:
        joining = Joining(COLUMNS, validation=0.25, seed=3)
        joined = join_sets(split_table, (main, {"people": custom}), joining, tmp_path / "run")
        again = join_sets(split_table, (main, {"people": custom}), joining, tmp_path / "again")
    people = rows_by_set(joined)["people"]
    assert count_splits(people) == {"train": 15, "validation": 5}
    assert again.equals(joined)
    assert rows_by_set(split_table) == {}
    assert own_rows(split_table).equals(split_table)


def test_of_a_large_set_a_part_is_drawn_and_nothing_that_others_test_on(
    main, split_table, tmp_path, write_catalogue
):
    rows = b"".join(
        b"%d,Apparel,Shirts,%s\n" % (number, b"test" if number > 16 else b"train") for number in range(1, 21)
    )
    own = write_catalogue(b"id,masterCategory,articleType,split\n" + rows)
    for number in range(1, 21):
        (own / "images" / f"{number}.jpg").write_bytes(b"")
    with open_catalogue(own) as catalogue:
        joining = Joining(COLUMNS, validation=0.25, largest=8)
        joined = join_sets(split_table, (main, {"shop": catalogue}), joining, tmp_path / "run")
    shop = rows_by_set(joined)["shop"]
    assert count_splits(shop) == {"train": 6, "validation": 2, "dropped": 12}
    notes = Counter(shop.column("note").to_pylist())
    assert notes == {None: 8, LEFT_OUT: 8, PUBLISHED_TEST: 4}


def darker(photo: bytes) -> bytes:
    """Return a near duplicate: the same photo in a little less light."""
    return encode(Image.open(io.BytesIO(photo)).convert("RGB").point(lambda level: round(0.97 * level)))


def noise(seed: int) -> bytes:
    """Return a photo that is like no other."""
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return encode(Image.fromarray(blocks).resize((64, 80), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("copy", [bytes, darker])
def test_duplicates_of_validation_and_test_photos_are_not_joined(copy, main, split_table, join):
    photos = {row["photo"]: row["split"] for row in split_table.to_pylist() if row["photo"]}
    held_out = [photo for photo, split in photos.items() if split in {"validation", "test"}]
    learnt = next(photo for photo, split in photos.items() if split == "train")
    files = [copy(main.read_photo(photo)) for photo in [*held_out, learnt]]
    rows = join(Joining(COLUMNS), shop=[*files, noise(1)])["shop"].to_pylist()
    assert {row["note"] for row in rows[: len(held_out)]} == {HELD_OUT}
    assert [row["split"] for row in rows[len(held_out) :]] == ["train", "train"]


def test_duplicates_are_kept_back_together_within_a_set_and_across_sets(join, split_table):
    pairs = [noise(seed) for seed in range(10) for _ in range(2)]
    sets = join(Joining(COLUMNS, validation=0.5), first=pairs, second=[darker(photo) for photo in pairs[::2]])
    sides = {}
    for row in [*sets["first"].to_pylist(), *sets["second"].to_pylist()]:
        sides.setdefault(row["group"], []).append(row["split"])
    assert [len(one) for one in sides.values()] == [3] * 10
    assert (
        sorted(one[0] for one in sides.values() if len(set(one)) == 1) == ["train"] * 5 + ["validation"] * 5
    )
    assert not set(sides) & set(split_table["group"].to_pylist())


def test_photos_of_no_product_in_a_set_are_learnt_as_such_where_that_is_learnt(
    main, split_table, tmp_path, write_catalogue
):
    """Their other labels are not learnt, whatever they say."""
    shop = write_catalogue(
        b"id,masterCategory,articleType\n1,none,Shirts\n2,None,\n3,Apparel,Shirts\n4,none,\n"
    )
    for number in (1, 2, 3):
        (shop / "images" / f"{number}.jpg").write_bytes(noise(number))
    with open_catalogue(shop) as catalogue:
        for negatives, split, set_name in ((True, "train", "negatives"), (False, "dropped", "shop")):
            joining = Joining(COLUMNS, negatives=negatives)
            joined = join_sets(split_table, (main, {"shop": catalogue}), joining, tmp_path / str(negatives))
            added = {row["id"]: row for row in joined.slice(split_table.num_rows).to_pylist()}
            for number in (1, 2):
                row = added[f"shop:{number}"]
                assert (row["photo"], row["split"]) == (f"shop:{number}.jpg", split)
                assert (row["source"], row["articleType"]) == (set_name, None)
            assert added["shop:3"]["source"] == "shop"
            assert added["shop:4"]["note"] == "no_photo"


def test_licence_and_origin_of_joined_photos_are_told(main, split_table, tmp_path, write_catalogue):
    shop = write_catalogue(
        b"id,masterCategory,articleType,licence,source\n"
        b"1,Apparel,Shirts,CC0,A. Shop\n2,Apparel,Shirts,CC0,A. Shop\n"
        b"3,Apparel,Shirts,,\n4,Apparel,Shirts,CC0,A. Shop\n"
    )
    for number in (1, 2, 3):
        (shop / "images" / f"{number}.jpg").write_bytes(noise(number))
    with open_catalogue(shop) as catalogue:
        joined = join_sets(split_table, (main, {"shop": catalogue}), Joining(COLUMNS), tmp_path / "run")
    assert read_sources(joined) == (SourceCard("shop", 1), SourceCard("shop", 2, "CC0", "A. Shop"))
    assert read_sources(split_table) == ()
    assert read_split_facts(joined) == read_split_facts(split_table)
    assert set(rows_by_set(joined)) == {"shop"}


def test_a_mapping_states_licence_and_origin_of_a_whole_set(main, split_table, tmp_path):
    shop = tmp_path / "shop"
    for name in ("Shirts", "Sandals"):
        (shop / name).mkdir(parents=True)
        (shop / name / "1.jpg").write_bytes(noise(len(name)))
    mapping = (
        'photos = "."\nfolders = ["articleType"]\nlicence = "CC BY 4.0"\nattribution = "A. Shop, doi 1"\n'
    )
    (shop / "catalogue.toml").write_text(mapping, encoding="utf-8")
    with open_catalogue(shop) as catalogue:
        joined = join_sets(split_table, (main, {"shop": catalogue}), Joining(COLUMNS), tmp_path / "run")
    [source] = read_sources(joined)
    assert (source.licence, source.attribution) == ("CC BY 4.0", "A. Shop, doi 1")
    assert source.photos == count_splits(rows_by_set(joined)["shop"])["train"] > 0


def test_everything_is_learnt_but_what_was_dropped(split_table):
    before, after = count_splits(split_table), count_splits(learn_everything(split_table))
    assert after["train"] == before["train"] + before["validation"] + before["test"]
    assert after["dropped"] == before["dropped"]
