"""The catalogue stage from end to end: tiny artifacts in, artifacts out, and the real catalogue's figures."""

import json
import os
import subprocess
import sys
import zipfile
from collections import Counter

import pyarrow as pa

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
    assert "warning: test is empty: too few products, or classes with a single product" in said
    assert "warning: validation is empty" in said


def test_split_of_nothing_is_wrong_usage(tiny_catalogue, tmp_path):
    done = hangtag("split", "absent.parquet", "--catalogue", tiny_catalogue, folder=tmp_path)
    assert done.returncode == 2
    assert "absent.parquet: there is no such table" in done.stderr
