import json

import pyarrow as pa

from hangtag.catalogue.split import report_split, write_split
from hangtag.datasets.splits import METADATA_KEY
from hangtag.tables.tables import read_table

ROWS = (
    # label, year, group, split, note
    ("Shirts", "2010", 0, "train", None),
    ("Shirts", "2011", 0, "test", None),
    ("Shirts", None, 0, "test", None),
    ("Shirts", "2012", 1, "train", None),
    ("Ties", "2012", 2, "train", None),
    ("Ties", "2013", 2, "validation", None),
    ("Ties", "2013", 3, "dropped", "no_photo"),
    ("Bags", "2013", 4, "train", None),
    ("Bags", "2013", 3, "dropped", "photo_truncated"),
    ("Bags", "2013", 5, "dropped", "no_photo"),
)
TABLE = pa.table(
    dict(zip(("articleType", "year", "group", "split", "note"), zip(*ROWS, strict=True), strict=True))
).replace_schema_metadata({METADATA_KEY: json.dumps({"stratify_by": "articleType", "min_examples": 3})})


def test_all_figures_of_a_split():
    report = report_split(TABLE)
    assert report.counts == {"train": 4, "validation": 1, "test": 2, "dropped": 3}
    assert report.dropped == {"no_photo": 2, "photo_truncated": 1}
    assert (report.groups, report.grouped_products, report.largest_group) == (2, 5, 3)
    assert (report.crossing_groups, report.leaked_test, report.leaked_validation) == (2, 2, 1)
    assert report.rare == {"Ties": 2, "Bags": 1}
    assert report.labels["Shirts"] == {"train": 2, "validation": 0, "test": 2}
    assert list(report.labels) == ["Shirts", "Ties", "Bags"]
    assert report.years == {
        "train": ["2010", "2013"],
        "test": ["2011", "2011"],
        "validation": ["2013", "2013"],
    }


def test_a_table_without_facts_still_has_counts():
    report = report_split(TABLE.replace_schema_metadata(None).drop_columns(["year"]))
    assert report.counts["train"] == 4
    assert (report.labels, report.rare, report.years) == ({}, {}, {})


def test_the_split_is_written_as_parquet_csv_and_report(tmp_path):
    report = write_split(TABLE, tmp_path / "mine.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mine-report.json",
        "mine.csv",
        "mine.parquet",
    ]
    assert read_table(tmp_path / "mine.parquet").equals(TABLE, check_metadata=True)
    assert read_table(tmp_path / "mine.csv").to_pylist() == TABLE.to_pylist()
    assert json.loads((tmp_path / "mine-report.json").read_text())["counts"] == report.counts
