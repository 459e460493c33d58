"""The columns that a table brings along, in every format."""

import csv
import datetime as dt
import json
import math

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes import FakeModel, encode, paint
from hangtag.inference.predicting import predict_photos
from hangtag.labelling.inputs import InputSettings, open_inputs
from hangtag.labelling.outputs import Layout, Output, build_rows, open_table
from hangtag.tables.cells import Kind, as_kind, name_beside
from hangtag.tables.parquet import ArrowRows

MOMENT = dt.datetime(2024, 5, 1, 13, 30)  # noqa: DTZ001 - a table's moments belong to no time zone
GIVEN = (
    ("sku", Kind.INTEGER),
    ("Path", Kind.TEXT),
    ("price", Kind.NUMBER),
    ("sold", Kind.BOOLEAN),
    ("listed", Kind.DATE),
    ("seen", Kind.MOMENT),
)
LAYOUT = Layout((), given=GIVEN)
VALUES = {
    "sku": [-5, 2**60, None],
    "Path (given)": ["=cmd()", "x, y", None],
    "price": [-0.5, math.inf, None],
    "sold": [True, False, None],
    "listed": [dt.date(2024, 5, 1), dt.date(1800, 1, 1), None],
    "seen": [MOMENT, MOMENT, None],
}
ROWS = VALUES | {
    "path": ["1.jpg", "2.jpg", "3.jpg"],
    "status": ["failed"] * 3,
    "reason": ["empty"] * 3,
    "answer": [None] * 3,
    "answer_level": [None] * 3,
    "flags": [None] * 3,
}


@pytest.fixture
def written(tmp_path):
    def write(ending):
        with open_table(Output.parse(str(tmp_path / f"out{ending}")), LAYOUT) as writer:
            writer.write(ROWS)
        return tmp_path / f"out{ending}"

    return write


def test_given_columns_stand_first_and_give_way():
    assert list(LAYOUT.kinds) == list(ROWS)
    assert LAYOUT.given_names["Path"] == "Path (given)"


def test_names_give_way_until_they_are_free():
    names = name_beside(["a", "A", "b (given)", "b"], ["a", "b"], "given")
    assert names == ["a (given)", "A (given) (given)", "b (given)", "b (given) (given)"]
    assert name_beside(["c", "c"], [], "given") == ["c", "c (given)"]


def test_csv_keeps_numbers_and_defuses_text(written):
    with written(".csv").open(newline="", encoding="utf-8") as file:
        first, second, third = csv.DictReader(file)
    assert [first[name] for name in VALUES] == [
        "-5",
        "'=cmd()",
        "-0.5",
        "TRUE",
        "2024-05-01",
        "2024-05-01 13:30:00",
    ]
    assert [second[name] for name in VALUES][:5] == [str(2**60), "x, y", "inf", "FALSE", "1800-01-01"]
    assert [third[name] for name in VALUES] == [""] * 6


def test_jsonl_keeps_types(written):
    first, second, third = map(json.loads, written(".jsonl").read_text("utf-8").splitlines())
    assert [first[name] for name in VALUES] == [-5, "=cmd()", -0.5, True, "2024-05-01", "2024-05-01T13:30:00"]
    assert (second["sku"], second["price"], second["sold"]) == (2**60, None, False)
    assert [third[name] for name in VALUES] == [None] * 6


def test_parquet_keeps_types(written):
    table = pq.read_table(written(".parquet"))
    types = [pa.int64(), pa.string(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us")]
    assert [table.schema.field(name).type for name in VALUES] == types
    assert table.select(list(VALUES)).to_pydict() == VALUES


def test_a_workbook_keeps_what_it_can_hold_and_the_rest_as_text(written):
    sheet = openpyxl.load_workbook(written(".xlsx")).active
    header, first, second, third = ([cell.value for cell in row][:6] for row in sheet.iter_rows())
    assert header == list(VALUES)
    assert first == [-5, "=cmd()", -0.5, True, dt.datetime(2024, 5, 1), MOMENT]  # noqa: DTZ001 - as above
    assert sheet["B2"].data_type == "s"
    assert sheet["E2"].is_date
    assert second == [str(2**60), "x, y", "inf", False, "1800-01-01", MOMENT]
    assert third == [None] * 6


def test_a_job_keeps_given_columns_as_they_are():
    arrow = ArrowRows(LAYOUT.kinds)
    assert arrow.unpack(arrow.pack(ROWS)) == ROWS


def test_in_a_column_of_text_everything_is_text():
    values = [5, 0.5, True, dt.date(2024, 5, 1), MOMENT, "x", None]
    texts = ["5", "0.5", "TRUE", "2024-05-01", "2024-05-01 13:30:00", "x", None]
    assert [as_kind(value, Kind.TEXT) for value in values] == texts
    assert as_kind(5, Kind.INTEGER) == 5


def test_what_came_with_a_photo_is_in_its_rows(tmp_path):
    for number in range(70):
        (tmp_path / f"{number}.png").write_bytes(encode(paint("Red")))
    lines = "".join(f"{number}.png,sku {number}\n" for number in range(70))
    (tmp_path / "a.csv").write_text(f"photo,sku\n{lines}gone.png,last\n")
    models = {"one": FakeModel(), "two": FakeModel()}
    cards = {name: model.card for name, model in models.items()}
    with open_inputs([tmp_path / "a.csv", tmp_path / "0.png"], InputSettings()) as inputs:
        layout = Layout.for_models(cards, 1, inputs.columns)
        rows = [build_rows(batch, layout) for batch in predict_photos(inputs, list(models.values()))]
    paths = [path for part in rows for path in part["path"]]
    skus = [sku for part in rows for sku in part["sku"]]
    assert len(paths) == 144
    assert skus[:4] == ["sku 0", "sku 0", "sku 1", "sku 1"]
    assert skus[-4:] == ["last", "last", None, None]
    assert all(
        sku == f"sku {path.rpartition('/')[2][:-4]}" for path, sku in zip(paths[:140], skus, strict=False)
    )
