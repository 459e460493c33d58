import csv
import gzip
import io
import tempfile
from datetime import date, datetime
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from hangtag.server.jobs.given_table import read_given_table
from hangtag.server.problems import InvalidRequestError, TooManyFilesError
from hangtag.tables.cells import Kind

cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


def read(data, name="table.csv", max_rows=1000):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "000000"
        path.write_bytes(data)
        return read_given_table(path, name, max_rows)


def build_workbook(*sheets, hidden=()):
    file = io.BytesIO()
    workbook = xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd hh:mm"})
    for number, rows in enumerate(sheets):
        sheet = workbook.add_worksheet()
        for position, row in enumerate(rows):
            sheet.write_row(position, 0, row)
        if number in hidden:
            sheet.hide()
        else:
            sheet.activate()
            sheet.set_first_sheet()
    workbook.close()
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_usual_spelling_is_the_same_table(encoding, delimiter, line_end):
    rows = [("photo", "Größe"), ("a.jpg", "5,5 é" if delimiter != "," else "5 é"), ("b.jpg", "")]
    text = "".join(delimiter.join(row) + line_end for row in rows)
    table = read(text.encode(encoding))
    assert [table.header, *table.rows] == rows


def test_excel_may_state_its_separator():
    table = read(b'sep=;\r\nphoto;note\r\na.jpg;"x;y"\r\n')
    assert (table.header, table.rows) == (("photo", "note"), [("a.jpg", "x;y")])


def test_empty_lines_are_no_rows_and_numbers_are_those_of_the_sheet():
    table = read(b"\nphoto,note\n\na.jpg,x\n,,\nb.jpg,y\n")
    assert table.rows == [("a.jpg", "x"), ("b.jpg", "y")]
    assert table.numbers == [4, 6]


def test_a_comma_too_many_belongs_to_the_last_cell():
    table = read(b"id,name\n1,Acme Red, Large, Shirt\n2\n")
    assert table.rows == [("1", "Acme Red, Large, Shirt"), ("2", "")]


def test_columns_have_names_of_their_own():
    assert read(b"a,,a,a\n1,2,3,4\n").header == ("a", "column 2", "a (2)", "a (3)")
    assert read(b"a,a,a (2)\n1,2,3\n").header == ("a", "a (2)", "a (2) (2)")


def test_a_quote_that_nobody_closes_takes_no_row_along():
    table = read(b'photo,name\na.jpg,"Puma tee\nb.jpg,plain\nc.jpg,"x\ny"\n')
    assert table.rows == [("a.jpg", '"Puma tee'), ("b.jpg", "plain"), ("c.jpg", "x\ny")]


@given(
    st.integers(1, 5).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6)
    )
)
def test_what_python_writes_comes_back(rows):
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([f"name {position}" for position in range(len(rows[0]))])
    writer.writerows(rows)
    table = read(file.getvalue().encode())
    assert table.rows == [tuple(row) for row in rows if any(map(str.strip, row))]


def test_a_workbook_is_read_as_it_is_shown():
    rows = [
        ("photo", "price", "sold", "day"),
        ("a.jpg", 12.0, True, date(2026, 3, 1)),
        ("007", 0.5, False, ""),
    ]
    table = read(build_workbook(rows), "Liste.XLSX")
    assert table.header == ("photo", "price", "sold", "day")
    assert table.rows[0][:3] == ("a.jpg", "12", "TRUE")
    assert table.rows[0][3].startswith("2026-03-01")
    assert table.rows[1] == ("007", "0.5", "FALSE", "")


def test_hidden_and_empty_sheets_are_passed_over():
    table = read(build_workbook([("secret",)], [], [("photo",), ("a.jpg",)], hidden={0}), "book.xlsx")
    assert table.header == ("photo",)


@pytest.mark.parametrize(
    ("name", "data"),
    [("book.xlsx", b"PK\x03\x04 no workbook"), ("book.xlsx", b""), ("table.csv", b""), ("t.csv", b"\n\n")],
)
def test_what_is_no_table_is_refused(name, data):
    with pytest.raises(InvalidRequestError, match=f"files: the table {name} cannot be read"):
        read(data, name)


def test_a_workbook_that_claims_an_enormous_sheet_costs_nothing():
    workbook = xlsxwriter.Workbook(file := io.BytesIO())
    sheet = workbook.add_worksheet()
    sheet.write_string(0, 0, "photo")
    sheet.write_string(1_048_575, 16_383, "far away")
    workbook.close()
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read(file.getvalue(), "bomb.xlsx")


def test_a_cell_must_fit_into_excel_again():
    with pytest.raises(InvalidRequestError, match="a cell of row 2 has more than 32,767 characters"):
        read(b"photo,note\na.jpg," + b"x" * 32_768)


def test_too_many_rows_are_refused():
    with pytest.raises(TooManyFilesError, match="more than 2 rows"):
        read(b"photo\na\nb\nc\n", max_rows=2)


def test_a_moment_has_its_time():
    rows = [("photo", "at"), ("a.jpg", datetime(2026, 3, 1, 12, 30))]  # noqa: DTZ001 - a sheet knows no zones
    assert "12:30" in read(build_workbook(rows), "book.xlsx").rows[0][1]


def test_columns_keep_what_they_held():
    rows = [("photo", "stock", "sku"), ("a.jpg", 12, "007"), ("b.jpg", 3.0, "008")]
    assert [column.kind for column in read(build_workbook(rows), "book.xlsx").columns] == [
        Kind.TEXT,
        Kind.INTEGER,
        Kind.TEXT,
    ]
    table = read(b"photo,stock\na.jpg,12\n")
    assert {column.kind for column in table.columns} == {Kind.WRITTEN}
    assert {column.kind for column in table.without_header().columns} == {Kind.WRITTEN}


@pytest.mark.parametrize("name", ["table.jsonl", "table.csv.gz", "table.tsv", "table.xls"])
def test_other_forms_are_read_too(name):
    data = {
        "table.jsonl": b'{"photo": "a.jpg", "n": 1}\n',
        "table.csv.gz": gzip.compress(b"photo,n\na.jpg,1\n"),
    }
    table = read(data.get(name, b"photo\tn\na.jpg\t1\n"), name)
    assert (table.header, table.rows) == (("photo", "n"), [("a.jpg", "1")])


def test_ids_that_pandas_wrote_are_whole_numbers_again_and_given_back_as_they_came():
    table = read(b"id,price\n15970.0,5.0\n39386.0,7.5\n")
    assert table.whole_numbers(0) == ["15970", "39386"]
    assert table.whole_numbers(1) == ["5.0", "7.5"]
    assert table.rows[0] == ("15970.0", "5.0")
