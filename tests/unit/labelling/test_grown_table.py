"""A job whose table has grown, been sorted anew or been changed since: every row of it has a row of labels."""

import csv
import datetime as dt
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from fakes import FakeModel, encode, paint
from hangtag.labelling.inputs import open_inputs
from hangtag.labelling.job import open_job
from hangtag.labelling.outputs import Output
from hangtag.labelling.plan import Fingerprint, Plan, Start
from hangtag.labelling.run import Labeller

HEADER = ["path", "n", "price", "listed", "note"]
DAY = dt.date(2024, 5, 1)
FIRST = [
    ["1.png", 1, 2, DAY, "ü\x85"],
    [None, 2, 0.5, None, None],
    ["1.png", 3, None, DAY, "plain"],
]
GROWN = [
    ["1.png", 11, 2, DAY, "ü\x85"],
    [None, 12, 0.5, None, None],
    *reversed(FIRST),
    ["2.png", 1, 2, DAY, "ü\x85"],
]


def write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])


def write_xlsx(path, rows):
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([HEADER, *rows]):
            for position, cell in enumerate(row):
                if cell is not None:
                    write = sheet.write_datetime if isinstance(cell, dt.date) else sheet.write
                    write(number, position, cell)


def write_parquet(path, rows):
    pq.write_table(
        pa.table({name: [row[at] for row in rows] for at, name in enumerate(HEADER)}),
        path,
    )


WRITERS = {".csv": write_csv, ".xlsx": write_xlsx, ".parquet": write_parquet}


@pytest.fixture
def label(tmp_path):
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(encode(paint("Red")))

    def label(ending, rows, start, models=("one",)):
        """Label a table, and return the `n` of each row of labels, and how many photos were labelled now."""
        table = tmp_path / f"products{ending}"
        WRITERS[ending](table, rows)
        with open_inputs([table, tmp_path / "2.png"]) as walk:
            labeller = Labeller({name: FakeModel() for name in models}, given=walk.columns)
            layout = labeller.layout
            columns = {name: kind.name for name, kind in layout.kinds.items()}
            plan = Plan(
                Output.parse(f"{tmp_path}/labels/"), layout, Fingerprint({}, {}, 1, columns), ("a",), start
            )
            with open_job(plan) as job:
                summary = labeller.resume(walk, job)
        found = pq.read_table(tmp_path / "labels").to_pylist()
        return Counter(str(row["n"]) for row in found), summary.photos - summary.photos_before

    return label


@pytest.mark.parametrize("ending", WRITERS)
def test_rows_that_show_the_same_photo_are_told_apart(label, ending):
    assert label(ending, FIRST, Start.NEW) == (Counter(["1", "2", "3", "None"]), 4)
    assert label(ending, FIRST[::-1], Start.RESUME) == (Counter(["1", "2", "3", "None"]), 0)
    found, labelled = label(ending, GROWN, Start.RESUME)
    assert labelled == 3
    assert found == Counter(["1", "1", "2", "3", "11", "12", "None"])
    assert label(ending, GROWN[::-1], Start.RESUME)[1] == 0


def test_rows_without_a_photo_are_tried_again_by_what_they_say(label):
    label(".csv", FIRST, Start.NEW)
    found, labelled = label(".csv", GROWN, Start.RETRY)
    assert labelled == 4
    assert found == Counter(["1", "1", "2", "3", "11", "12", "None"])


def test_each_model_has_one_row_of_each(label):
    models = ("one", "two")
    assert label(".parquet", FIRST, Start.NEW, models)[1] == 4
    assert label(".parquet", GROWN, Start.RESUME, models) == (
        Counter(["1", "1", "2", "3", "11", "12", "None"] * 2),
        3,
    )


def test_a_row_that_is_there_twice_is_labelled_twice(label):
    label(".csv", FIRST[:1], Start.NEW)
    assert label(".csv", FIRST[:1] * 3, Start.RESUME) == (Counter(["1", "1", "1", "None"]), 2)
