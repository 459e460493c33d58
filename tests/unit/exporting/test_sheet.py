"""A shop's own sheet, filled in place: what is recognised, what is filled, and that nothing else changes."""

import datetime as dt
import zipfile

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table as ExcelTable

from hangtag.domain.errors import TableError
from hangtag.exporting.products import ProductReader
from hangtag.exporting.sheet import ProductFinder, guess_language, plan_sheet, recognise_columns
from hangtag.exporting.sheet_file import _calculate_on_load
from hangtag.pipelines.export import fill_sheet
from hangtag.tables.reading import open_table
from label_tables import make_row


def make_workbook(path):
    """Write a workbook as a shop keeps one: formulas, formats, a second sheet, and all else that may be in one."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Artikel"
    sheet.append(["Artikelnummer", "Bezeichnung", "Farbe", "Geschlecht", "Preis", "Brutto", "Seit"])
    rows = [
        ("007", "Hemd", None, None, 9.5),
        ("008", "Bluse", "weiß", None, 12.25),
        ("999", "Fremd", None, None, 1),
    ]
    for number, (sku, name, colour, gender, price) in enumerate(rows, start=2):
        sheet.append([sku, name, colour, gender, price, f"=E{number}*1.19", dt.date(2024, 3, number)])
        sheet.cell(number, 1).number_format = "@"
        sheet.cell(number, 3).fill = PatternFill("solid", fgColor="FFEE99")
    sheet["A1"].font = Font(bold=True, color="FF0000")
    sheet["B2"].comment = Comment("Bitte prüfen", "Einkauf")
    sheet["D2"].alignment = Alignment(horizontal="center")
    sheet["C5"] = '=IF(A5="","",A5)'
    sheet["A5"] = "008"
    sheet.merge_cells("A7:B7")
    sheet["A7"] = "Ende"
    sheet.freeze_panes = "A2"
    sheet.column_dimensions["B"].width = 33
    sheet.conditional_formatting.add(
        "E2:E4", CellIsRule(operator="greaterThan", formula=["10"], fill=PatternFill())
    )
    validation = DataValidation(type="list", formula1='"Herren,Damen"')
    validation.add("D2:D4")
    sheet.add_data_validation(validation)
    other = book.create_sheet("Lieferanten")
    other.append(["Name", "Ort"])
    other.append(["Muster <&> GmbH", "=Artikel!B2"])
    other.add_table(ExcelTable(displayName="Liste", ref="A1:B2"))
    book.create_sheet("Versteckt").sheet_state = "hidden"
    book.save(path)


def list_cells(path):
    """Return every cell of every sheet with its value and everything about how it looks."""
    book = openpyxl.load_workbook(path)
    return {
        (sheet.title, cell.coordinate): (
            cell.value, cell.data_type if cell.data_type != "inlineStr" else "s", cell.number_format, cell.font.b,
            cell.font.color and cell.font.color.rgb, cell.fill.fgColor.rgb, cell.alignment.horizontal,
            cell.comment and cell.comment.text,
        )
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
    }  # fmt: skip


def test_a_workbook_is_filled_and_nothing_else_in_it_changes(write_labels, tmp_path):
    own, filled = tmp_path / "shop.xlsx", tmp_path / "filled.xlsx"
    make_workbook(own)
    labels = write_labels(make_row("007"), make_row("008", baseColour="Red"))
    result = fill_sheet(labels, own, filled)
    assert (result.matched, result.filled, result.kept, result.unknown) == (3, 4, 2, ["999", "Ende"])
    before, after = list_cells(own), list_cells(filled)
    assert before.keys() == after.keys()
    changed = {place: after[place] for place in before if before[place] != after[place]}
    assert {place: values[0] for place, values in changed.items()} == {
        ("Artikel", "C2"): "Marineblau",
        ("Artikel", "D2"): "Damen",
        ("Artikel", "D3"): "Damen",
        ("Artikel", "D5"): "Damen",
    }
    for place, values in changed.items():
        assert values[2:] == before[place][2:], place


def test_what_openpyxl_does_not_show_stays_too(write_labels, tmp_path):
    own, filled = tmp_path / "shop.xlsx", tmp_path / "filled.xlsx"
    make_workbook(own)
    fill_sheet(write_labels(make_row("007")), own, filled)
    with zipfile.ZipFile(own) as one, zipfile.ZipFile(filled) as other:
        assert one.namelist() == other.namelist()
        different = [name for name in one.namelist() if one.read(name) != other.read(name)]
        assert different == ["xl/worksheets/sheet1.xml"]
        sheet = other.read("xl/worksheets/sheet1.xml").decode()
        original = one.read("xl/worksheets/sheet1.xml").decode()
        assert sheet[sheet.index("</sheetData>") :] == original[original.index("</sheetData>") :]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<calcPr calcId="191029"/>', '<calcPr calcId="191029" fullCalcOnLoad="1"/>'),
        ('<calcPr fullCalcOnLoad="1"/>', '<calcPr fullCalcOnLoad="1"/>'),
        ("<extLst/>", '<calcPr fullCalcOnLoad="1"/><extLst/>'),
        ("", '<calcPr fullCalcOnLoad="1"/>'),
    ],
)
def test_formulas_take_the_new_values_in_when_the_workbook_is_opened(before, after):
    assert _calculate_on_load(f"<workbook>{before}</workbook>") == f"<workbook>{after}</workbook>"


def test_formulas_are_never_replaced(write_labels, tmp_path):
    own, filled = tmp_path / "shop.xlsx", tmp_path / "filled.xlsx"
    make_workbook(own)
    fill_sheet(write_labels(make_row("008")), own, filled, overwrite=True)
    book = openpyxl.load_workbook(filled)
    assert book["Artikel"]["C5"].value == '=IF(A5="","",A5)'
    assert book["Artikel"]["C3"].value == "Marineblau"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_csv_keeps_its_dialect_and_every_row_that_is_not_filled(write_labels, tmp_path, encoding):
    own, filled = tmp_path / "shop.csv", tmp_path / "filled.csv"
    text = (
        'Artikelnummer;"Bezeichnung";Farbe;Preis\r\n'
        '007;"Hemd ""Größe"" 4;5";;"9,50"\r\n'
        "\r\n"
        '999;"fremd\r\nzwei Zeilen";;1,00\r\n'
        "008;Bluse;Weiß;2,00\r\n"
    )
    own.write_bytes(text.encode(encoding))
    result = fill_sheet(write_labels(make_row("007"), make_row("008")), own, filled)
    assert result.language == "de"
    expected = text.replace('007;"Hemd ""Größe"" 4;5";;"9,50"', '007;"Hemd ""Größe"" 4;5";Marineblau;9,50')
    assert filled.read_bytes() == expected.encode(encoding)


def test_a_sheet_that_writes_men_as_m_keeps_doing_so(write_labels, tmp_path):
    own, filled = tmp_path / "shop.csv", tmp_path / "filled.csv"
    own.write_text("SKU,Gender,Colour\n1,,\n2,F,NAVY BLUE\n3,m,\n4,,\n", encoding="utf-8")
    labels = write_labels(make_row("1"), make_row("4", gender="Men", baseColour="Grey"))
    fill_sheet(labels, own, filled)
    assert filled.read_text("utf-8").splitlines() == [
        "SKU,Gender,Colour", "1,F,NAVY BLUE", "2,F,NAVY BLUE", "3,m,", "4,m,Grey",
    ]  # fmt: skip


def test_doubtful_labels_leave_their_cells_empty(write_labels, tmp_path):
    own, filled = tmp_path / "shop.csv", tmp_path / "filled.csv"
    own.write_text("sku,colour,product type\n1,,\n", encoding="utf-8")
    result = fill_sheet(write_labels(make_row("1", baseColour_confidence=0.3)), own, filled)
    assert filled.read_text("utf-8").splitlines()[1] == "1,,Shirt"
    assert result.doubtful == 1


def test_products_are_found_by_their_photos_names_where_there_are_no_keys(tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "path,baseColour\nshop/A-1_front.jpg,Red\nshop/A-1_back.jpg,Red\nB-2.jpg,Blue\n", encoding="utf-8"
    )
    own, filled = tmp_path / "shop.csv", tmp_path / "filled.csv"
    own.write_text("sku,colour\nA-1,\nB-2,\nC-3,\n", encoding="utf-8")
    fill_sheet(labels, own, filled)
    assert filled.read_text("utf-8").splitlines()[1:] == ["A-1,Red", "B-2,Blue", "C-3,"]


def test_leading_zeros_that_a_spreadsheet_lost_do_no_harm(write_labels):
    finder = ProductFinder(ProductReader(open_table(write_labels(make_row("007"), make_row("0080")))))
    assert finder.find("7").key == "007"
    assert finder.find("80").key == "0080"
    assert finder.find("8") is None


def test_columns_are_recognised_in_five_languages():
    header = ["Réf", "Couleur", "Sexe", "Saison", "Catégorie"]
    assert recognise_columns(header) == {1: "baseColour", 2: "gender", 3: "season", 4: "path"}
    assert guess_language(header) == "fr"
    assert guess_language(["SKU", "Color"]) == "en-US"
    assert guess_language(["SKU", "Colour"]) == "en-GB"
    assert recognise_columns(["Google Product Category", "Colour", "colour"]) == {
        0: "google",
        1: "baseColour",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sku,price\n1,2\n", "no column that labels can fill"),
        ("id,colour\n77,\n", "no column of the sheet contains the keys"),
    ],
)
def test_a_sheet_that_cannot_be_filled_is_refused(write_labels, tmp_path, text, message):
    own = tmp_path / "shop.csv"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        fill_sheet(write_labels(make_row("1")), own, tmp_path / "filled.csv")
    assert not (tmp_path / "filled.csv").exists()


def test_the_key_may_be_named(write_labels, tmp_path):
    own = tmp_path / "shop.csv"
    own.write_text("a,b,colour\n1,x,\nx,1,\n", encoding="utf-8")
    table = open_table(own)
    finder = ProductFinder(ProductReader(open_table(write_labels(make_row("1")))))
    assert plan_sheet(table, finder, key="b").key == 1
