import csv
import io
import json
from dataclasses import replace
from datetime import datetime

import openpyxl
import pytest

from hangtag.domain.flags import Flag
from hangtag.server.jobs.downloads import iter_download
from hangtag.server.jobs.results import correct_result
from hangtag.tables.cells import Column, Kind
from stored_jobs import Drawn, open_store, store_job

SHIRT = Drawn({"masterCategory": ("Apparel", 0.9), "articleType": ("Tshirts", 0.5), "gender": ("Men", 0.55)})
CARRIED = ("photo", "gender", "=price", "path")
ROWS = [("0.jpg", "m", "=1+1", "x"), ("1.jpg", "", "007", ""), None, ("3.jpg", "w", "5,5", "")]


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path)
    yield store
    store.engine.dispose()


@pytest.fixture
def job(store):
    """A labelled photo, a corrected one, one that failed and one that waits."""
    job = store_job(store, [SHIRT, SHIRT, Drawn(reason="empty"), None], CARRIED, ROWS)
    correct_result(store.engine, job, 1, {"articleType": "Watches", "gender": "Men"})
    return job


def download(store, job, kind):
    return b"".join(iter_download(store.engine, job, kind))


def read_csv(data):
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_every_photo_has_a_row_and_corrections_win(store, job):
    rows = read_csv(download(store, job, "csv"))
    assert [row["path"] for row in rows] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert [row["status"] for row in rows] == ["labelled", "labelled", "failed", "waiting"]
    assert [row["reason"] for row in rows] == ["", "", "empty", ""]
    assert [row["articleType"] for row in rows] == ["Tshirts", "Watches", "", ""]
    assert [row["masterCategory"] for row in rows] == ["Apparel", "Accessories", "", ""]
    assert [row["articleType_confidence"] for row in rows] == ["0.5000", "", "", ""]
    assert [row["gender_confidence"] for row in rows] == ["0.5500", "0.5500", "", ""]
    assert set(rows[1]["corrected"].split(", ")) == {"articleType", "masterCategory", "gender"}
    assert rows[0]["corrected"] == rows[0]["season"] == ""


def test_the_answer_ends_where_neither_model_nor_person_is_sure(store):
    unsure = replace(SHIRT, sure=1, flags=(Flag.BLURRED, Flag.TOO_DARK))
    job = store_job(store, [SHIRT, unsure, unsure, replace(SHIRT, sure=0), Drawn(reason="empty")])
    correct_result(store.engine, job, 2, {"articleType": "Watches"})
    rows = read_csv(download(store, job, "csv"))
    assert [row["answer"] for row in rows] == [
        "Apparel › Tshirts",
        "Apparel",
        "Accessories › Watches",
        "",
        "",
    ]
    assert [row["answer_level"] for row in rows] == ["articleType", "masterCategory", "articleType", "", ""]
    assert [row["flags"] for row in rows] == ["", "too_dark;blurred", "too_dark;blurred", "", ""]
    lines = [json.loads(line) for line in download(store, job, "jsonl").decode().splitlines()]
    assert [line["flags"] for line in lines] == [
        [],
        ["too_dark", "blurred"],
        ["too_dark", "blurred"],
        [],
        None,
    ]


def test_columns_that_came_along_go_along(store, job):
    rows = read_csv(download(store, job, "csv"))
    header = list(rows[0])
    assert header[:4] == ["photo", "gender (sent)", "'=price", "path (sent)"]
    assert [row["gender (sent)"] for row in rows] == ["m", "", "", "w"]
    assert [row["gender"] for row in rows] == ["Men", "Men", "", ""]
    assert rows[0]["'=price"] == "'=1+1"


def test_no_two_columns_differ_by_capital_letters_alone(store):
    columns = ("Path", "size", "Size", "Size")
    job = store_job(store, [SHIRT], columns, [("here", "1", "2", "3")])
    row = next(iter(read_csv(download(store, job, "csv"))))
    assert list(row)[:5] == ["Path (sent)", "size", "Size (sent)", "Size (sent) (sent)", "path"]
    assert list(row.values())[:5] == ["here", "1", "2", "3", "0.jpg"]


def test_a_workbook_holds_text_as_text(store, job):
    sheet = openpyxl.load_workbook(io.BytesIO(download(store, job, "xlsx"))).active
    header, *rows = sheet.iter_rows()
    columns = [cell.value for cell in header]
    assert columns[2] == "=price"
    prices = [row[2] for row in rows]
    assert [cell.value for cell in prices] == ["=1+1", "007", None, "5,5"]
    assert {cell.data_type for cell in prices if cell.value} == {"s"}
    confidence = columns.index("articleType_confidence")
    assert [row[confidence].value for row in rows] == [0.5, None, None, None]


def test_a_workbook_holds_numbers_and_dates_as_such(store):
    columns = [Column("stock", Kind.INTEGER), Column("price", Kind.WRITTEN), Column("sku", Kind.TEXT)]
    columns += [Column("listed", Kind.DATE), Column("new", Kind.BOOLEAN), Column("rate", Kind.NUMBER)]
    rows = [("1163", "19.90", "12", "2026-03-01", "TRUE", "0.5"), ("", "NA", "007", "", "", "")]
    job = store_job(store, [SHIRT, SHIRT], columns, rows)
    sheet = openpyxl.load_workbook(io.BytesIO(download(store, job, "xlsx"))).active
    _, first, second = sheet.iter_rows(max_col=6)
    assert [cell.value for cell in first] == [1163, 19.9, "12", datetime(2026, 3, 1), True, 0.5]  # noqa: DTZ001
    assert [cell.number_format for cell in first[:2]] == ["0", "0.00"]
    assert [cell.value for cell in second] == [None, "NA", "007", None, None, None]
    assert [row["stock"] for row in read_csv(download(store, job, "csv"))] == ["1163", ""]
    assert json.loads(download(store, job, "jsonl").splitlines()[0])["stock"] == 1163


def test_json_lines_have_the_candidates_too(store, job):
    lines = [json.loads(line) for line in download(store, job, "jsonl").splitlines()]
    assert [line["articleType"] for line in lines] == ["Tshirts", "Watches", None, None]
    assert lines[1]["articleType_top"][0] == {"label": "Tshirts", "confidence": 0.5}
    assert lines[0]["=price"] == "=1+1"
    assert lines[2]["photo"] is None


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx"])
def test_more_rows_than_are_read_at_a_time_are_all_there(store, kind, monkeypatch):
    monkeypatch.setattr("hangtag.server.jobs.stored.PHOTOS_AT_A_TIME", 7)
    data = download(store, store_job(store, [SHIRT] * 23), kind)
    if kind == "xlsx":
        names = [
            row[0] for row in openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows(values_only=True)
        ][1:]
    elif kind == "csv":
        names = [row["path"] for row in read_csv(data)]
    else:
        names = [json.loads(line)["path"] for line in data.splitlines()]
    assert names == [f"{number}.jpg" for number in range(23)]


def test_a_workbook_that_nobody_waits_for_leaves_nothing(store, job):
    pieces = iter_download(store.engine, job, "xlsx")
    assert next(pieces).startswith(b"PK")
    pieces.close()
