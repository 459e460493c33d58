"""The catalogue stage from end to end: tiny artifacts in, artifacts out, and the real catalogue's figures."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections import Counter, defaultdict

import pyarrow as pa
import pytest

from hangtag.catalogue.clean import clean_catalogue
from hangtag.catalogue.count import count_products
from hangtag.catalogue.split import split_catalogue
from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.splits import SplitSettings
from hangtag.tables.tables import read_table, write_table


def hangtag(*arguments, folder):
    """Run the command line in a folder, on a terminal wide enough not to wrap."""
    environment = os.environ | {"COLUMNS": "160"}
    command = [sys.executable, "-m", "hangtag.cli.main", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_clean_writes_its_files_and_says_what_was_repaired(tiny_catalogue, tmp_path):
    done = hangtag("clean", tiny_catalogue, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "cleaned").iterdir()) == [
        "clean-report.json",
        "cleaned.csv",
        "cleaned.parquet",
        "rejects.csv",
    ]
    assert "extra_commas" in done.stdout
    assert read_table(tmp_path / "cleaned" / "cleaned.csv").num_rows == 60


def test_clean_reads_the_zip_as_downloaded(tiny_catalogue, tmp_path):
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        archive.write(tiny_catalogue / "styles.csv", "Shop/styles.csv")
    done = hangtag("clean", "shop.zip", "--output", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "clean-report.json").read_text())["cleaned"] == 60


def test_count_prints_classes_and_writes_cross_tables(tiny_catalogue, tmp_path):
    done = hangtag("count", tiny_catalogue, "--by", "season", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split("│")[1:4] for line in done.stdout.splitlines() if "%" in line] == [
        [" (missing) ", "    20 ", " 33.33% "],
        [" Fall      ", "    20 ", " 33.33% "],
        [" Summer    ", "    20 ", " 33.33% "],
    ]
    crossed = ("count", tiny_catalogue, "--by", "masterCategory", "--by", "gender", "--output", "cross.json")
    assert hangtag(*crossed, folder=tmp_path).returncode == 0
    assert json.loads((tmp_path / "cross.json").read_text())[0] == {
        "masterCategory": "Apparel",
        "Men": 18,
        "Women": 18,
        "total": 36,
    }


def test_count_prints_no_class_that_steers_the_terminal(tmp_path):
    write_table(pa.table({"season": ["\x1b[2JSummer", "[bold]Fall"]}), tmp_path / "foreign.parquet")
    done = hangtag("count", "foreign.parquet", "--by", "season", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b[2J" not in done.stdout
    assert "[bold]Fall" in done.stdout


def test_count_of_an_unknown_column_helps(tiny_catalogue, tmp_path):
    done = hangtag("count", tiny_catalogue, "--by", "sesaon", folder=tmp_path)
    assert done.returncode == 2
    assert "Did you mean season?" in done.stderr
    assert "Traceback" not in done.stderr


def test_split_writes_the_table_twice_and_its_report(tiny_catalogue, tmp_path):
    hangtag("clean", tiny_catalogue, folder=tmp_path)
    split = ("split", "cleaned", "--catalogue", tiny_catalogue, "--test", "0.2", "--validation", "0.1")
    done = hangtag(*split, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    table = read_table(tmp_path / "split.parquet")
    assert Counter(table["split"].to_pylist()) == {"train": 41, "validation": 6, "test": 12, "dropped": 1}
    assert read_table(tmp_path / "split.csv").to_pylist() == table.to_pylist()
    report = json.loads((tmp_path / "split-report.json").read_text())
    assert report["dropped"] == {"no_photo": 1}
    assert report["crossing_groups"] == 0
    assert "no_photo" in done.stdout
    again = tmp_path / "split.parquet"
    before = again.read_bytes()
    hangtag(*split, folder=tmp_path)
    assert again.read_bytes() == before


def test_split_says_that_a_part_is_empty(tiny_catalogue, tmp_path):
    split = ("split", tiny_catalogue, "--catalogue", tiny_catalogue, "--stratify-by", "id")
    done = hangtag(*split, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "warning: test is empty: too few products, or classes of a single one" in said
    assert "warning: validation is empty" in said


def test_split_of_nothing_is_wrong_usage(tiny_catalogue, tmp_path):
    done = hangtag("split", "absent.parquet", "--catalogue", tiny_catalogue, folder=tmp_path)
    assert done.returncode == 2
    assert "absent.parquet: there is no such table" in done.stderr


@pytest.mark.real
def test_the_real_table_loses_no_row(real_catalogue, tmp_path):
    with open_catalogue(real_catalogue) as catalogue:
        report = clean_catalogue(catalogue, tmp_path)
    assert (report.lines, report.cleaned, report.rejected, report.blank) == (39_960, 39_959, 0, 0)
    assert report.repairs == {"spaces": 474, "extra_commas": 18, "bare_quote": 2}
    assert report.missing == {
        "usage": 292,
        "season": 16,
        "baseColour": 12,
        "productDisplayName": 6,
        "year": 1,
    }
    digest = hashlib.sha256((tmp_path / "cleaned.csv").read_bytes()).hexdigest()
    assert digest == "fc7fc95042ba15b0952161df02438c57ef281283b6d4be8e2cb32cdd182e4519", (
        "not a cell has changed"
    )
    rows = {row["id"]: row for row in read_table(tmp_path / "cleaned.csv").to_pylist()}
    assert rows["7491"]["productDisplayName"] == "Nike Women's EM Tempo 3.5\" Pink Short"
    assert rows["7497"]["productDisplayName"] == "Nike Women's EM Tempo 3.5\" Purple Short"
    assert rows["4854"]["productDisplayName"] == "Newfeel Unisex White, Blue and Orange Casual Shoes"
    assert rows["23127"]["productDisplayName"] == "Converse Unisex Green Live, Life, Laugh Flip Flops"
    assert sum("," in (row["productDisplayName"] or "") for row in rows.values()) == 18


@pytest.mark.real
def test_the_real_classes_are_counted(real_catalogue):
    cleaned = load_cleaned(real_catalogue)
    counts = count_products(cleaned, ["masterCategory"])
    assert dict(zip(counts["masterCategory"].to_pylist(), counts["count"].to_pylist(), strict=True)) == {
        "Apparel": 19_217,
        "Accessories": 10_163,
        "Footwear": 8_307,
        "Personal Care": 2_157,
        "Free Items": 93,
        "Sporting Goods": 21,
        "Home": 1,
    }


@pytest.fixture(scope="module")
def real_split(real_catalogue):
    with open_catalogue(real_catalogue) as catalogue:
        return split_catalogue(load_cleaned(real_catalogue), catalogue, SplitSettings())


@pytest.mark.real
def test_the_real_split_meets_its_shares_and_loses_no_product(real_split):
    counts = Counter(real_split["split"].to_pylist())
    assert counts.total() == 39_959
    used = counts.total() - counts["dropped"]
    assert used == 39_655
    assert counts["test"] / used == pytest.approx(0.10, abs=0.005)
    assert counts["validation"] / used == pytest.approx(0.05, abs=0.005)
    assert Counter(real_split["note"].to_pylist()) == {None: 39_655, "no_photo": 304}


@pytest.mark.real
def test_real_duplicates_are_on_one_side(real_split):
    sides, sizes = defaultdict(set), Counter()
    for group, side in zip(real_split["group"].to_pylist(), real_split["split"].to_pylist(), strict=True):
        sides[group].add(side)
        sizes[group] += 1
    assert all(len(found) == 1 for found in sides.values())
    assert sum(size > 1 for size in sizes.values()) >= 550  # identical photos alone make about as many groups
    assert max(sizes.values()) < 100  # a giant group would mean that different products are taken for one


@pytest.mark.real
def test_each_frequent_real_class_meets_the_share_of_test(real_split):
    by_class = defaultdict(Counter)
    for label, side in zip(
        real_split["articleType"].to_pylist(), real_split["split"].to_pylist(), strict=True
    ):
        by_class[label][side] += side != "dropped"
    frequent = [sides for sides in by_class.values() if sides.total() >= 100]
    assert len(frequent) > 50
    assert all(sides["test"] / sides.total() == pytest.approx(0.10, abs=0.015) for sides in frequent)
