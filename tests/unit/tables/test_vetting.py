import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hostile_files
from hangtag.domain.errors import TableError
from hangtag.labelling.inputs import InputSettings, open_inputs
from hangtag.tables import vetting
from hangtag.tables.vetting import vet_table

SOUND = hostile_files.workbook('<row r="1"><c r="A1"><v>1</v></c></row>')


def expensive_table(folder):
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * 1_000_000]))
    table = pa.table({"image": column})
    pq.write_table(table, folder / "a.parquet", compression="zstd", store_schema=False)
    return folder / "a.parquet"


def test_a_sound_workbook_passes(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(SOUND)
    vet_table(path, "a.xlsx")


def test_a_sound_parquet_table_passes(tmp_path):
    pq.write_table(pa.table({"a": ["x"] * 5000}), tmp_path / "a.parquet")
    vet_table(tmp_path / "a.parquet", "a.parquet")


def test_a_table_whose_rows_unpack_to_gigabytes_is_refused_and_not_opened_here(tmp_path):
    with pytest.raises(TableError, match="too much time or memory"):
        vet_table(expensive_table(tmp_path), "a.parquet")


def test_a_table_whose_text_is_far_more_than_its_file_is_refused(tmp_path):
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 30_000, pa.int32()), pa.array(["x" * 100_000]))
    pq.write_table(pa.table({"image": column}), tmp_path / "a.parquet", compression="zstd")
    with pytest.raises(TableError, match="too much time or memory"):
        vet_table(tmp_path / "a.parquet", "a.parquet")


def test_a_workbook_that_is_read_as_a_stream_needs_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    (tmp_path / "a.xlsx").write_bytes(hostile_files.CELL_FAR_AWAY)
    vet_table(tmp_path / "a.xlsx", "a.xlsx")


def test_predict_vets_the_tables_that_it_is_given(tmp_path):
    with (
        pytest.raises(TableError, match="too much time or memory"),
        open_inputs([str(expensive_table(tmp_path))], InputSettings()),
    ):
        pass


def test_text_and_what_is_missing_need_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    vet_table(tmp_path / "a.csv", "a.csv")
    vet_table(tmp_path / "missing.xlsx", "missing.xlsx")


def test_what_is_no_table_is_left_to_whoever_opens_it(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(SOUND[:300])
    vet_table(path, "a.xlsx")


def test_reading_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["x"]}), path)
    run = subprocess.run

    def sleep(_command, **options):
        return run([sys.executable, "-c", "import time; time.sleep(60)"], **(options | {"timeout": 0.2}))

    monkeypatch.setattr(vetting.subprocess, "run", sleep)
    with pytest.raises(TableError, match="too much time"):
        vet_table(path, "a.parquet")
