import io
import json

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hangtag.catalogue.clean import clean_catalogue
from hangtag.datasets import cleaned as clean_module
from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.folder import FolderCatalogue
from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import CatalogueError

HEADER = b"id,masterCategory,subCategory,articleType,productDisplayName\n"
MESSY = HEADER + b"".join(
    (
        b"1,Apparel,Topwear,Shirts,Shirt\r\n",
        b"2,Apparel,Topwear,Shirts,Tie, Red and Blue\n",
        b"\n",
        b"too,short\n",
        b"1,Apparel,Topwear,Shirts,Again\n",
        b"3,Footwear,NA,Casual  Shoes,Caf\xe9\n",
        b'4,Apparel,Topwear,Shirts,"Two\nlines"\n',
        b",,,,\n",
        b",Apparel,Topwear,Shirts,No id\n",
    )
)


@pytest.fixture
def clean(write_catalogue, tmp_path):
    def run(table):
        with open_catalogue(write_catalogue(table)) as catalogue:
            return clean_catalogue(catalogue, tmp_path / "out")

    return run


def test_every_line_ends_somewhere_and_is_counted(clean, tmp_path, read_csv):
    report = clean(MESSY)
    assert (report.lines, report.cleaned, report.rejected, report.blank, report.joined) == (11, 4, 3, 2, 1)
    assert report.repairs == {"extra_commas": 1, "spaces": 2, "encoding": 1, "joined_lines": 1}
    assert report.rejects == {"too_short": 1, "duplicate_id": 1, "missing_id": 1}
    assert report.missing == {"subCategory": 1}
    assert [row["id"] for row in read_csv(tmp_path / "out" / "cleaned.csv")] == ["1", "2", "3", "4"]


def test_rejects_name_the_line_the_reason_and_the_text(clean, tmp_path, read_csv):
    clean(MESSY)
    assert read_csv(tmp_path / "out" / "rejects.csv") == [
        {
            "line": "5",
            "reason": "too_short",
            "explanation": "it has 2 of 5 fields",
            "raw": "too,short",
        },
        {
            "line": "6",
            "reason": "duplicate_id",
            "explanation": "the id 1 is already on line 2",
            "raw": "1,Apparel,Topwear,Shirts,Again",
        },
        {
            "line": "11",
            "reason": "missing_id",
            "explanation": "it has no id",
            "raw": ",Apparel,Topwear,Shirts,No id",
        },
    ]


def test_parquet_and_csv_say_the_same(clean, tmp_path, read_csv):
    clean(MESSY)
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "cleaned.parquet").to_pylist()
    assert [{name: value or "" for name, value in row.items()} for row in rows] == read_csv(
        tmp_path / "out" / "cleaned.csv"
    )
    assert rows[2]["subCategory"] is None
    assert rows[2]["articleType"] == "Casual Shoes"


def test_the_report_file_is_the_report(clean, tmp_path):
    report = clean(MESSY)
    written = json.loads((tmp_path / "out" / "clean-report.json").read_text())
    assert written["catalogue"] == "written"
    assert written["repairs"] == report.repairs
    assert written["lines"] == 1 + sum(written[name] for name in ("cleaned", "rejected", "blank", "joined"))


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 1000])
def test_duplicates_are_found_across_batches(clean, tmp_path, monkeypatch, read_csv, batch_rows):
    monkeypatch.setattr(clean_module, "BATCH_ROWS", batch_rows)
    rows = [f"{id_},A,B,C,{n}\n".encode() for n, id_ in enumerate([5, 3, 5, 9, 3, 5, 1])]
    report = clean(HEADER + b"".join(rows))
    assert [row["id"] for row in read_csv(tmp_path / "out" / "cleaned.csv")] == ["5", "3", "9", "1"]
    assert report.rejects == {"duplicate_id": 3}
    explained = [(row["line"], row["explanation"]) for row in read_csv(tmp_path / "out" / "rejects.csv")]
    assert explained == [
        (line, f"the id {id_} is already on line {first}")
        for line, id_, first in (("4", 5, 2), ("6", 3, 3), ("7", 5, 2))
    ]


def test_long_rows_are_held_in_smaller_batches(clean, tmp_path, monkeypatch):
    monkeypatch.setattr(clean_module, "BATCH_CHARACTERS", 2_000)
    report = clean(HEADER + b"".join(f"{n},A,B,C,{'x' * 900}\n".encode() for n in range(10)))
    assert report.cleaned == 10
    groups = pyarrow.parquet.ParquetFile(tmp_path / "out" / "cleaned.parquet").metadata
    assert [groups.row_group(place).num_rows for place in range(groups.num_row_groups)] == [3, 3, 3, 1]


def test_a_table_of_a_header_alone_gives_empty_tables(clean, tmp_path):
    assert clean(HEADER).cleaned == 0
    table = pyarrow.parquet.read_table(tmp_path / "out" / "cleaned.parquet")
    assert (table.num_rows, table.num_columns) == (0, 5)


@pytest.mark.costly
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(alphabet=st.sampled_from('a1,"\n\r \xa0é'), max_size=80))
def test_cleaning_what_is_clean_changes_nothing(clean, tmp_path, body):
    clean(HEADER + body.encode())
    once = (tmp_path / "out" / "cleaned.csv").read_bytes()
    report = clean(once)
    assert (tmp_path / "out" / "cleaned.csv").read_bytes() == once
    assert (report.repairs, report.rejects, report.blank) == ({}, {}, 0)


class Interrupted(io.BytesIO):
    """A table whose second block never comes, because someone presses Ctrl-C."""

    def read(self, size=-1):
        if self.tell():
            raise KeyboardInterrupt
        return super().read(size)


def test_an_interrupted_run_leaves_the_older_files_and_no_half_ones(clean, tmp_path, monkeypatch):
    clean(MESSY)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    monkeypatch.setattr(FolderCatalogue, "open_table", lambda _self: Interrupted(HEADER + b"9,A,B,C,D\n"))
    with pytest.raises(KeyboardInterrupt):
        clean(HEADER)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert len(before) == 4


def test_an_unusable_table_writes_nothing(clean, tmp_path):
    with pytest.raises(CatalogueError):
        clean(b"name,colour\n")
    assert not (tmp_path / "out").exists()


def test_a_cleaned_table_is_loaded_from_whatever_holds_it(clean, tmp_path, write_catalogue):
    clean(MESSY)
    places = (
        tmp_path / "out",
        tmp_path / "out" / "cleaned.parquet",
        tmp_path / "out" / "cleaned.csv",
        write_catalogue(MESSY),
    )
    loaded = [load_cleaned(place).to_pylist() for place in places]
    assert [row["id"] for row in loaded[0]] == ["1", "2", "3", "4"]
    assert all(rows == loaded[0] for rows in loaded)


def test_values_are_composed_and_counted(clean, tmp_path):
    report = clean(HEADER + "1,A,B,De\u0301collete\u0301,x\n2,A,B,D\u00e9collet\u00e9,x\n".encode())
    assert report.repairs == {"unicode_composition": 1}
    rows = load_cleaned(tmp_path / "out").to_pylist() if (tmp_path / "out").exists() else None
    assert rows is None or {row["articleType"] for row in rows} == {"D\u00e9collet\u00e9"}


def test_numbers_that_pandas_wrote_are_whole_again_and_counted(clean, tmp_path, read_csv):
    report = clean(b"id,articleType,year,price\n15970.0,Shirts,2011.0,5.0\n39386.0,Caps,,7.5\n")
    assert report.repairs == {"whole_numbers": 2}
    assert [(row["id"], row["year"], row["price"]) for row in read_csv(tmp_path / "out" / "cleaned.csv")] == [
        ("15970", "2011", "5.0"),
        ("39386", "", "7.5"),
    ]


def test_ids_that_may_be_ruined_are_kept_and_counted(clean, tmp_path, read_csv):
    report = clean(b"id,articleType\n15970.0,Shirts\nA7,Caps\n8.90123E+12,Caps\n")
    assert report.ruined == 2
    ids = [row["id"] for row in read_csv(tmp_path / "out" / "cleaned.csv")]
    assert ids == ["15970.0", "A7", "8.90123E+12"]
