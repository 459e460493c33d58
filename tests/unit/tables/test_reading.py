import gzip
import io
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from hangtag.domain.errors import TableError
from hangtag.tables import Column, Kind, is_table_name, open_table
from hangtag.tables.reading import DelimitedTable, find_column, list_columns
from hangtag.tables.values import RuinedNumbers


def book(*rows, links=None):
    data = io.BytesIO()
    workbook = xlsxwriter.Workbook(data)
    sheet = workbook.add_worksheet("first")
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    for place, address, text in links or ():
        sheet.write_url(place, address, string=text)
    workbook.add_worksheet("second").write_row(0, 0, ["other"])
    workbook.close()
    return data.getvalue()


def parquet(**columns):
    data = io.BytesIO()
    pq.write_table(pa.table(columns), data)
    return data.getvalue()


FORMS = {
    "t.csv": b"id,file\n1,a.jpg\n2,b.jpg\n",
    "semicolons.csv": b"id;file\n1;a.jpg\n2;b.jpg\n",
    "t.tsv": b"id\tfile\n1\ta.jpg\n2\tb.jpg\n",
    "utf16.csv": "id,file\n1,a.jpg\n2,b.jpg\n".encode("utf-16"),
    "t.csv.gz": gzip.compress(b"id,file\n1,a.jpg\n2,b.jpg\n"),
    "t.jsonl": b'{"id": "1", "file": "a.jpg"}\n\n{"id": "2", "file": "b.jpg"}\n',
    "t.jsonl.gz": gzip.compress(b'{"id": "1", "file": "a.jpg"}\n{"id": "2", "file": "b.jpg"}\n'),
    "t.xlsx": book(["id", "file"], ["1", "a.jpg"], ["2", "b.jpg"]),
    "t.parquet": parquet(id=["1", "2"], file=["a.jpg", "b.jpg"]),
    "really_a_workbook.csv": book(["id", "file"], ["1", "a.jpg"], ["2", "b.jpg"]),
    "really_text.xls": b"id\tfile\n1\ta.jpg\n2\tb.jpg\n",
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("kind", ["path", "bytes", "file"])
def test_every_form_of_a_table_is_read_as_often_as_wanted(tmp_path, name, kind):
    (tmp_path / name).write_bytes(FORMS[name])
    sources = {"path": tmp_path / name, "bytes": FORMS[name], "file": io.BytesIO(FORMS[name])}
    table = open_table(sources[kind], name)
    assert table.names == ["id", "file"]
    is_text = isinstance(table, DelimitedTable)
    assert {column.kind for column in table.columns} == {Kind.WRITTEN if is_text else Kind.TEXT}
    for _ in range(2):
        assert [row.values for row in table] == [("1", "a.jpg"), ("2", "b.jpg")]
    assert table.count() == 2
    assert is_table_name(name.upper())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        ("a.ods", b"PK\3\4" + bytes(60)),
        ("a.xlsx", b"no workbook"),
        ("a.parquet", b"no Parquet"),
        ("a.csv", b"\0\1\2\3 no text"),
        ("a.xls", b"<html><table><tr><td>id</td></tr></table>"),
        ("a.csv", b"<?xml version='1.0'?><x/>"),
    ],
)
def test_what_is_no_table_is_refused_with_the_forms_that_are_read(name, data):
    with pytest.raises(
        TableError, match=rf"{name}: the table cannot be read.*CSV.*Excel.*Parquet and JSON Lines"
    ):
        open_table(data, name)


@pytest.mark.parametrize("line", ["nonsense", "[1]", '"text"', "{"])
def test_a_line_that_is_no_object_is_an_error_with_its_number(line):
    with pytest.raises(TableError, match=r"line 2 is not (a )?JSON"):
        open_table(f'{{"a": 1}}\n{line}\n'.encode(), "t.jsonl")


def test_json_lines_keep_types_and_any_order_of_keys():
    table = open_table(b'{"a": 1, "b": true}\n{"c": [1, "x"], "a": 2.5}\n{"b": null, "c": "y"}\n', "t.jsonl")
    assert table.columns == (Column("a", Kind.NUMBER), Column("b", Kind.BOOLEAN), Column("c", Kind.TEXT))
    assert [row.values for row in table] == [(1.0, True, None), (2.5, None, '[1, "x"]'), (None, None, "y")]


def test_lines_that_are_not_utf_8_are_read_and_told():
    table = open_table("id,name\n1,Café\n2,Größe\n".encode("cp1252"), "t.csv")
    assert [row.values[1] for row in table] == ["Café", "Größe"]
    assert table.notes == ["t.csv: 2 lines are not UTF-8 and read as Windows-1252"]


def test_a_column_is_found_in_other_capitals_and_suggested_otherwise():
    table = open_table(b"ID,masterCategory,Size,size\n", "t.csv")
    assert table.place("id") == 0
    assert table.place("size") == 3
    for name, said in (("masterCategry", "Did you mean masterCategory"), ("SIZE", "Did you mean")):
        with pytest.raises(TableError, match=f"no column {name}.*{said}.*Its columns are ID, masterCategory"):
            table.place(name)


def test_a_column_of_an_endless_name_does_not_fill_the_message():
    with pytest.raises(TableError) as caught:
        open_table(b"a" * 5000 + b",b\n", "t.csv").place("c")
    assert len(str(caught.value)) < 300


def test_a_sheet_can_be_chosen():
    data = book(["id"], ["1"])
    assert open_table(data, "t.xlsx").names == ["id"]
    assert open_table(data, "t.xlsx", sheet="second").names == ["other"]
    with pytest.raises(TableError, match=r"no sheet secnd. Did you mean second\? There are first, second"):
        open_table(data, "t.xlsx", sheet="secnd")


def test_the_links_of_cells_are_read():
    data = book(
        ["sku", "image"], ["A"], ["B", "b.jpg"], links=[("B2", "https://x.test/1.jpg?a=1&b=2", "Photo")]
    )
    table = open_table(data, "t.xlsx")
    assert table.links(1) == {2: "https://x.test/1.jpg?a=1&b=2"}
    assert table.links(0) == {}
    assert open_table(b"sku,image\nA,Photo\n", "t.csv").links(1) == {}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["15970.0", "", None, "39386.0"], RuinedNumbers(is_certain=True, example="15970.0")),
        (["15970", "39386.0"], RuinedNumbers()),
        (["15970.0", "A7"], RuinedNumbers(example="15970.0")),
        (["8.90123E+12", "1.5"], RuinedNumbers(example="8.90123E+12")),
        (["5.50", "7.00"], RuinedNumbers()),
        ([], RuinedNumbers()),
        ([15970.0], RuinedNumbers()),
    ],
)
def test_numbers_that_a_program_changed(values, found):
    assert RuinedNumbers.find(values) == found


def test_a_long_table_is_read_in_flat_memory(tmp_path):
    with (tmp_path / "long.csv").open("w") as file:
        file.write("id,name\n")
        file.writelines(f'{number},"product {number}, new"\n' for number in range(50_000))
    tracemalloc.start()
    count = sum(1 for _ in open_table(tmp_path / "long.csv"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 50_000
    assert peak < 12_000_000


def test_titles_above_the_header_of_a_sheet_are_passed_over():
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate(
            [["Spring order 2026"], [], ["SKU", "Image", "Price"], ["A", "1.jpg", 9.5]]
        ):
            sheet.write_row(number, 0, cells)
    table = open_table(data.getvalue(), "order.xlsx")
    assert table.names == ["SKU", "Image", "Price"]
    assert [tuple(row) for row in table] == [(4, ("A", "1.jpg", 9.5))]
    assert table.count() == 1


def test_a_header_of_one_name_says_what_to_do_about_a_title():
    assert list_columns(["Order 7", "column 2"]).endswith(
        "If Order 7 is a title, remove the lines above the header."
    )
    assert list_columns(["a", "b"]) == "Its columns are a, b."


def test_a_column_is_found_whatever_its_spaces_and_signs_are():
    assert find_column("imageurl", ["sku", "Image URL"]) == 1
    assert find_column("article_type", ["articleType", "Article Type"]) is None
    assert find_column("articletype", ["articleType", "Article Type"]) == 0
    assert find_column("-", ["", "_"]) is None
