import csv
import io
from datetime import date

import pytest
from openpyxl import Workbook, load_workbook

from hangtag.domain.errors import InvalidFieldsError
from hangtag.store.decisions import Decision
from hangtag.store.exports import export_batch
from hangtag.store.index import Filter
from hangtag.tables.writing import render

VIEWS = {"1_front.png": "Red", "1_back.png": ("Red", 1), "2.png": "Green"}
SHEET = b"sku,name,stock,price\n1,Shirt,007,9.90\n2,Shoe,12,10\n3,Watch,0,5\n"


def read(shop, batch, format_="csv", wanted=None, **options):
    table = export_batch(shop.products, batch, wanted or Filter(), **options)
    data = b"".join(render(table.kinds, table.rows, format_))
    return list(csv.DictReader(io.StringIO(data.decode()))) if format_ == "csv" else data


def workbook():
    book, file = Workbook(), io.BytesIO()
    book.active.append(["sku", "stock", "sold", "rrp", "launch"])
    book.active.append(["1", 7, True, 1299.5, date(2026, 3, 1)])
    book.active.append(["2", 12, False, 89.9, date(2026, 4, 1)])
    book.save(file)
    return file.getvalue()


def test_a_row_a_product_with_the_columns_of_the_sheet_first(shop):
    batch = shop.make(VIEWS | {"sheet.csv": SHEET})
    rows = read(shop, batch)
    assert [row["sku (sheet)"] for row in rows] == ["1", "2", "3"]
    assert list(rows[0])[:4] == ["sku (sheet)", "name (sheet)", "stock", "price"]
    assert rows[0]["stock"] == "007"
    assert rows[0]["photos"] == "1_front.png;1_back.png"
    assert rows[0]["articleType"] == "Tshirts"
    assert rows[0]["answer"] == "Apparel › Tshirts"
    assert (rows[2]["status"], rows[2]["reason"]) == ("failed", "no_photo")


def test_a_row_a_photo(shop):
    batch = shop.make(VIEWS | {"bad.jpg": b"x"})
    rows = read(shop, batch, rows="photo")
    assert [(row["path"], row["view"]) for row in rows] == [
        ("1_front.png", "front"),
        ("1_back.png", "back"),
        ("2.png", ""),
        ("bad.jpg", ""),
    ]
    assert rows[3]["reason"] == "not_a_photo"
    assert rows[1]["articleType"] == "Tshirts"


def test_what_people_said_stands_in_the_place_of_the_models_labels(shop):
    batch = shop.make(VIEWS)
    number = int(shop.list(batch)[0]["id"])
    shop.decisions.decide(batch, Decision(products=(number,), set={"baseColour": "Blue"}), "ann")
    first = read(shop, batch)[0]
    assert (first["baseColour"], first["baseColour_confidence"]) == ("Blue", "")
    assert (first["state"], first["corrected"], first["decided_by"]) == ("corrected", "baseColour", "ann")
    assert [row["baseColour"] for row in read(shop, batch, wanted=Filter(state="corrected"))] == ["Blue"]


def test_columns_are_chosen_and_ordered(shop):
    batch = shop.make(VIEWS)
    assert list(read(shop, batch, columns=["baseColour", "sku"])[0]) == ["baseColour", "sku"]
    with pytest.raises(InvalidFieldsError, match="no column 'colour'"):
        read(shop, batch, columns=["colour"])


def test_the_cells_of_a_workbook_keep_their_types(shop):
    batch = shop.make({"1.png": "Red", "2.png": "Green", "stock.xlsx": workbook()})
    given = {"sku": "1", "stock": 7, "sold": True, "rrp": 1299.5, "launch": "2026-03-01"}
    assert shop.list(batch)[0]["row"] == given
    sheet = load_workbook(io.BytesIO(read(shop, batch, "xlsx"))).active
    header = [cell.value for cell in sheet[1]]
    row = dict(zip(header, [cell.value for cell in sheet[2]], strict=True))
    assert (row["stock"], row["sold"], row["rrp"]) == (7, True, 1299.5)
    assert row["launch"].date() == date(2026, 3, 1)
