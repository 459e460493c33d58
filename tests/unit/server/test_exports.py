import io
import json

import pyarrow.parquet as pq
import pytest
from python_calamine import load_workbook

COLUMNS = [
    {"name": "path"},
    {"name": "articleType"},
    {"name": "articleType_confidence", "type": "confidence"},
    {"name": "flags", "type": "list"},
    {"name": "stock", "type": "integer"},
    {"name": "since", "type": "date"},
]
ROWS = [
    ["a.jpg", "Tshirts", 0.98765, ["blurred", "too_dark"], 12, "2026-05-01"],
    ["=cmd.jpg", "=1+1", None, [], None, None],
    ["ü, ö.jpg", "two\nlines\tand a tab", 1, None, -3, None],
]


@pytest.fixture
def export(client):
    """Send a table to be rendered."""

    def export(format_, columns=COLUMNS, rows=ROWS, **more):
        body = {"format": format_, "columns": columns, "rows": rows, **more}
        return client.post("/api/v1/exports", json=body)

    return export


def test_csv_is_typed_and_no_cell_is_a_formula(export):
    response = export("csv", name="Größe 1")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.csv" in response.headers["content-disposition"]
    assert response.text.splitlines()[:3] == [
        "path,articleType,articleType_confidence,flags,stock,since",
        'a.jpg,Tshirts,0.9877,"blurred;too_dark",12,2026-05-01',
        "./=cmd.jpg,'=1+1,,,,",
    ]


def test_a_workbook_has_numbers_as_numbers_and_text_as_text(export):
    sheet = load_workbook(io.BytesIO(export("xlsx").content)).get_sheet_by_index(0)
    rows = sheet.to_python()
    assert rows[0] == [column["name"] for column in COLUMNS]
    assert rows[1][:5] == ["a.jpg", "Tshirts", 0.98765, "blurred;too_dark", 12]
    assert str(rows[1][5]).startswith("2026-05-01")
    assert rows[2][1] == "=1+1"


def test_json_lines_and_parquet_keep_the_types(export):
    first, *_ = [json.loads(line) for line in export("jsonl").text.splitlines()]
    assert (first["articleType_confidence"], first["flags"]) == (0.9877, ["blurred", "too_dark"])
    table = pq.read_table(io.BytesIO(export("parquet").content))
    assert table["stock"].to_pylist() == [12, None, -3]


def test_text_to_paste_has_one_line_a_row_and_tabs_between_cells(export):
    lines = export("tsv").text.split("\n")
    assert len(lines) == 1 + len(ROWS) + 1
    assert lines[3].split("\t") == ["ü, ö.jpg", "two lines and a tab", "1.0000", "", "-3", ""]
    assert lines[2].split("\t")[1] == "'=1+1"


def test_an_empty_table_has_its_header(export):
    assert export("csv", rows=[]).text.startswith("path,articleType")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (["a"], "rows.1"),
        (["a", 5, None, None, None, None], "rows.1.1"),
        (["a", "b", 1.2, None, None, None], "rows.1.2"),
        (["a", "b", True, None, None, None], "rows.1.2"),
        (["a", "b", None, "blurred", None, None], "rows.1.3"),
        (["a", "b", None, None, 1.5, None], "rows.1.4"),
        (["a", "b", None, None, None, "yesterday"], "rows.1.5"),
    ],
)
def test_a_value_of_another_type_is_named(export, row, field):
    response = export("csv", rows=[ROWS[0], row])
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "columns", [[], [{"name": ""}], [{"name": "a"}, {"name": "a"}], [{"name": "a", "type": "nonsense"}]]
)
def test_columns_that_cannot_be_are_refused(export, columns):
    assert export("csv", columns=columns, rows=[]).status_code == 422


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_that_is_too_large_is_refused_while_it_arrives(client, monkeypatch, is_declared):
    monkeypatch.setattr("hangtag.server.routes.exports.ExportRoute.max_bytes", 1000)
    body = b" " * 1001
    response = client.post("/api/v1/exports", content=body if is_declared else iter([body[:900], body[900:]]))
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_a_body_that_is_no_text_is_an_invalid_request(client):
    headers = {"content-type": "application/json"}
    response = client.post("/api/v1/exports", content=b'{"format": "\xff"}', headers=headers)
    assert response.status_code == 422
    problem = response.json()
    assert problem["code"] == "validation"
    assert "body is not JSON in UTF-8" in problem["detail"].replace(":", "")
