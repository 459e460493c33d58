import datetime as dt
import io
import tracemalloc
import zipfile

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

import hostile_files
from hangtag.domain.errors import TableError
from hangtag.tables import openxml, openxml_parts, workbook
from hangtag.tables.reading import open_table

FORMATS = [
    "General", "0.00", "@", "yyyy-mm-dd", "dd/mm/yy hh:mm:ss", "hh:mm", "[h]:mm", "[mm]:ss", '0.00 "days"',
    "[$-409]d-mmm", "[Red]0", r"0\d", '_-* #,##0.00 "SEK"_-', "#,##0;[Red]-#,##0", "yyyy;@", "0.00E+00", "0;yyyy",
    "mm:ss.0", *range(14, 60),
]  # fmt: skip
NUMBERS = (45000, 45000.25, 45000.123456789, 0.5, 1.75, 59, 60, 61, 3_000_000)


def written(write, **options):
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, options)
    write(book, book.add_worksheet())
    book.close()
    return data.getvalue()


def with_sheet(xml):
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(hostile_files.workbook(""))) as archive,
        zipfile.ZipFile(packed, "w") as changed,
    ):
        for name in archive.namelist():
            changed.writestr(name, xml if name.endswith("sheet1.xml") else archive.read(name))
    return packed.getvalue()


def odd_cells(book, sheet):
    for row, format_ in enumerate(FORMATS):
        style = book.add_format({"num_format": format_})
        for column, number in enumerate(NUMBERS):
            sheet.write_number(row, column, number, style)
    row = len(FORMATS) + 3
    sheet.write_boolean(row, 1, True)
    sheet.write_boolean(row, 2, False)
    sheet.write_formula(row, 3, "=1/0", None, "#DIV/0!")
    sheet.write_formula(row, 4, "=A1&B1", None, "text & more")
    sheet.write_formula(row, 5, "=A1", None, 7)
    sheet.write_rich_string(row + 1, 1, "a", book.add_format({"bold": True}), " b ", "c")
    sheet.write_string(row + 1, 2, "a_x000D_b\r\nc\x01  <&> é 😀")
    sheet.write_blank(row + 2, 0, None, book.add_format({"bold": True}))
    sheet.write_string(row + 3, 8, "last")


@pytest.mark.parametrize("options", [{}, {"in_memory": True, "constant_memory": True}, {"date_1904": True}])
def test_cells_are_those_that_another_reader_finds(options):
    data = written(odd_cells, **options)
    expected = {}
    for number, cells in enumerate(
        CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).iter_rows(), start=1
    ):
        if found := {column: cell for column, cell in enumerate(cells) if cell != ""}:
            expected[number] = found
    book = openxml.OpenXmlBook(lambda: io.BytesIO(data))
    assert dict(book.iter_rows(book.sheets[0])) == expected
    assert len(expected) > 60


def test_a_workbook_with_prefixes_and_without_places_is_read():
    xml = (
        '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>'
        '<x:row><x:c t="inlineStr"><x:is><x:t>image</x:t></x:is></x:c></x:row>'
        '<x:row><x:c t="d"><x:v>2026-11-30</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    table = open_table(with_sheet(xml), "a.xlsx")
    assert table.names == ["image"]
    assert [row.values for row in table] == [(dt.date(2026, 11, 30),)]


CELL = '<c t="inlineStr"><is><t>{0}</t></is></c>'
HOSTILE = {
    "characters": f"<row>{CELL.format('a' * 2_000_000)}</row>",
    "characters in runs": f"<row><c><is>{('<r><t>' + 'a' * 600_000 + '</t></r>') * 2}</is></c></row>",
    "row has more": f"<row>{CELL.format('a' * 900_000) * 6}</row>",
    "endless element": f"<row><c r='A1' s='{'1' * 3_000_000}'><v>1</v></c></row>",
    "nested": "<a>" * 100 + "</a>" * 100,
    "names": "".join(f"<a{number}/>" for number in range(20_000)),
    "rows": "<row r='1048577'><c><v>1</v></c></row>",
    "columns": "<row r='1'><c r='XFE1'><v>1</v></c></row>",
    "column": "<row r='1'><c r='AAAAAA1'><v>1</v></c></row>",
}


@pytest.mark.parametrize("problem", HOSTILE)
def test_what_nobody_has_in_a_sheet_is_refused(problem):
    tracemalloc.start()
    with pytest.raises(TableError, match=problem.split(" in ")[0]):
        list(open_table(hostile_files.workbook(HOSTILE[problem]), "a.xlsx"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000_000


def test_a_document_type_is_refused_before_anything_expands():
    xml = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'
    with pytest.raises(TableError, match="document type"):
        open_table(with_sheet(xml), "a.xlsx")


def test_cells_bytes_and_texts_are_counted(monkeypatch):
    rows = hostile_files.workbook("<row><c><v>1</v></c></row>" * 300)
    monkeypatch.setattr(openxml_parts, "MOST_CELLS", 200)
    with pytest.raises(TableError, match="200 cells"):
        open_table(rows, "a.xlsx")
    monkeypatch.setattr(openxml, "MOST_BYTES", 2000)
    with pytest.raises(TableError, match="unpacks to more than"):
        open_table(rows, "a.xlsx")
    monkeypatch.undo()
    monkeypatch.setattr(openxml_parts, "MOST_TEXT_BYTES", 2000)
    with pytest.raises(TableError, match="texts are more than"):
        open_table(written(lambda _, sheet: sheet.write_column(0, 0, map(str, range(1000, 1400)))), "a.xlsx")


def test_few_rows_may_be_wide_and_many_may_not(monkeypatch):
    far_away = open_table(hostile_files.CELL_FAR_AWAY, "a.xlsx")
    assert (len(far_away.columns), far_away.count()) == (16_384, 1)
    monkeypatch.setattr(workbook, "MOST_CELLS", 10_000)
    with pytest.raises(TableError, match="more than 10,000 cells"):
        open_table(hostile_files.CELL_FAR_AWAY, "a.xlsx")


def test_a_zip_of_many_files_is_no_workbook():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(25_000):
            archive.writestr(f"{number:06}", b"")
    with pytest.raises(TableError, match="too many files"):
        open_table(packed.getvalue(), "a.xlsx")


def test_a_long_workbook_is_read_in_flat_memory():
    row = '<row><c t="inlineStr"><is><t>photo.jpg</t></is></c><c><v>12.5</v></c></row>'
    data = hostile_files.workbook(row * 20_000)
    tracemalloc.start()
    count = sum(1 for _ in open_table(data, "a.xlsx"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 19_999
    assert peak < 3_000_000
