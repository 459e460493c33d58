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


def test_a_sound_workbook_passes(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(SOUND)
    vet_table(path, "a.xlsx")


def test_a_sound_parquet_table_passes(tmp_path):
    pq.write_table(pa.table({"a": ["x"] * 5000}), tmp_path / "a.parquet")
    vet_table(tmp_path / "a.parquet", "a.parquet")


def test_a_workbook_of_billions_of_cells_is_refused_and_not_opened_here(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(hostile_files.CELL_FAR_AWAY)
    with pytest.raises(TableError, match="too much time or memory"):
        vet_table(path, "a.xlsx")


@pytest.mark.parametrize(
    "rows", ["<row>{0}</row>", "<row><c><v>1</v></c></row><row><c><v>1</v></c></row><row>{0}</row>"]
)
def test_a_workbook_of_an_endless_cell_is_refused(tmp_path, rows):
    cell = '<c t="inlineStr"><is><t>' + "a" * 2_000_000 + "</t></is></c>"
    path = tmp_path / "a.xlsx"
    path.write_bytes(hostile_files.workbook(rows.format(cell)))
    with pytest.raises(TableError, match="too much time or memory"):
        vet_table(path, "a.xlsx")


def test_predict_vets_the_tables_that_it_is_given(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(hostile_files.CELL_FAR_AWAY)
    with (
        pytest.raises(TableError, match="too much time or memory"),
        open_inputs([str(path)], InputSettings()),
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
    path = tmp_path / "a.xlsx"
    path.write_bytes(SOUND)
    run = subprocess.run

    def sleep(_command, **options):
        return run([sys.executable, "-c", "import time; time.sleep(60)"], **(options | {"timeout": 0.2}))

    monkeypatch.setattr(vetting.subprocess, "run", sleep)
    with pytest.raises(TableError, match="too much time"):
        vet_table(path, "a.xlsx")
