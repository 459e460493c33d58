import csv
import datetime as dt
import tracemalloc
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from hangtag.domain.errors import HangtagError, PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.labelling.inputs.opening import open_inputs
from hangtag.labelling.inputs.photo import InputSettings
from hangtag.tables.cells import KEY_COLUMNS, PHOTO_COLUMNS, Kind, name_columns, plain_name

HEADER = ["id", "Image", "price", "listed"]
ROWS = [
    [1, "1.jpg", 9.5, dt.date(2024, 5, 1)],
    [2, "sub/2.jpg", None, None],
    [3, None, 7.0, dt.date(2024, 5, 2)],
]


def write_csv(path, rows, header=HEADER, **options):
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        csv.writer(file, **options).writerows([header, *rows])
    return path


def write_xlsx(path, rows, header=HEADER):
    book = xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"})
    hidden, sheet = book.add_worksheet("hidden"), book.add_worksheet("products")
    hidden.write(0, 0, "not this one")
    hidden.hide()
    sheet.activate()
    sheet.set_first_sheet()
    for number, row in enumerate([header, *rows]):
        for position, cell in enumerate(row):
            if isinstance(cell, dt.date):
                sheet.write_datetime(number, position, cell)
            elif cell is not None:
                sheet.write(number, position, cell)
    book.close()
    return path


def write_parquet(path, rows, header=HEADER):
    columns = [[row[position] for row in rows] for position in range(len(header))]
    pq.write_table(pa.table(dict(zip(header, columns, strict=True))), path)
    return path


WRITERS = {".csv": write_csv, ".xlsx": write_xlsx, ".parquet": write_parquet}


def walk(path, **settings):
    with open_inputs([path], InputSettings(**settings)) as inputs:
        return list(inputs)


@pytest.mark.parametrize("ending", WRITERS)
def test_a_table_names_photos_in_its_folder_and_carries_its_columns(tmp_path, ending):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "2.jpg").write_bytes(b"two")
    path = WRITERS[ending](tmp_path / f"products{ending}", ROWS)
    first, second, third = walk(path)
    assert [first.name, second.name] == [str(tmp_path / "1.jpg"), str(tmp_path / "sub/2.jpg")]
    assert second.read() == b"two"
    with pytest.raises(PhotoError) as caught:
        third.read()
    assert caught.value.reason is Reason.NOT_NAMED
    number = 3 if ending == ".parquet" else 4
    assert third.name == f"{path}:{number}"
    assert list(first.extra) == HEADER
    if ending == ".csv":
        assert dict(first.extra) == {"id": "1", "Image": "1.jpg", "price": "9.5", "listed": "2024-05-01"}
        assert second.extra["price"] is None
    else:
        assert [tuple(photo.extra.values()) for photo in (first, second, third)] == [
            tuple(row) for row in ROWS
        ]
        assert type(first.extra["id"]) is int


def test_the_kinds_of_columns_are_known_before_the_first_row(tmp_path):
    kinds = (Kind.INTEGER, Kind.TEXT, Kind.NUMBER, Kind.DATE)
    for name in ("a.xlsx", "a.parquet"):
        path = WRITERS[name[1:]](tmp_path / name, ROWS)
        with open_inputs([path]) as inputs:
            assert inputs.columns == tuple(zip(HEADER, kinds, strict=True))
            assert inputs.count() == 3
    with open_inputs([write_csv(tmp_path / "b.csv", ROWS), tmp_path / "a.xlsx"]) as inputs:
        assert inputs.columns == tuple((name, Kind.TEXT) for name in HEADER)
        assert inputs.count() == 6


def test_a_workbook_keeps_what_all_cells_of_a_column_are(tmp_path):
    header = ["photo", "whole", "mixed", "truth", "number", "moment"]
    moment = dt.datetime(2024, 1, 2, 3, 4)  # noqa: DTZ001 - a workbook knows no time zones
    rows = [["1.jpg", 1163, 5, True, 0.5, moment], ["2.jpg", None, "five", False, 2, moment]]
    first, second = walk(write_xlsx(tmp_path / "a.xlsx", rows, header))
    assert tuple(first.extra.values()) == ("1.jpg", 1163, "5", True, 0.5, moment)
    assert tuple(second.extra.values()) == ("2.jpg", None, "five", False, 2.0, moment)


def test_types_that_only_parquet_has_become_text(tmp_path):
    table = pa.table(
        {
            "path": pa.array(["1.jpg"]).dictionary_encode(),
            "tags": [["a", "ü"]],
            "big": pa.array([2**63], pa.uint64()),
            "cents": pa.array([pa.scalar("1.50").cast(pa.decimal128(5, 2))]),
            "zoned": pa.array([0], pa.timestamp("ns", tz="UTC")),
            "nano": pa.array([1_001], pa.timestamp("ns")),
            "small": pa.array([7], pa.int8()),
            "large": pa.array(["x"], pa.large_string()),
            "raw": pa.array([b"x\xff"]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", store_schema=True)
    (photo,) = walk(tmp_path / "a.parquet")
    values = list(photo.extra.values())
    assert values[:5] == ["1.jpg", '["a", "ü"]', "9223372036854775808", "1.50", "1970-01-01T00:00:00+00:00"]
    assert values[5:] == [dt.datetime(1970, 1, 1, 0, 0, 0, 1), 7, "x", r"x\xff"]  # noqa: DTZ001 - as above
    assert photo.name == str(tmp_path / "1.jpg")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_csv_is_read_however_it_was_saved(tmp_path, delimiter, encoding):
    path = write_csv(
        tmp_path / "a.csv",
        [["1", "été.jpg", "a, b; c"]],
        ["id", "file", "note"],
        delimiter=delimiter,
        encoding=encoding,
    )
    (photo,) = walk(path)
    assert photo.name == str(tmp_path / "été.jpg")
    assert photo.extra["note"] == "a, b; c"


def test_odd_rows_of_a_csv_keep_their_values(tmp_path):
    (tmp_path / "a.csv").write_text('path,name,,name\n1.jpg,"two\nlines",x,y,z,"q, r"\n\n2.jpg\n')
    first, second = walk(tmp_path / "a.csv")
    assert dict(first.extra) == {
        "path": "1.jpg",
        "name": "two\nlines",
        "column 3": "x",
        "name (2)": 'y,z,"q, r"',
    }
    assert dict(second.extra) == {"path": "2.jpg", "name": None, "column 3": None, "name (2)": None}


def test_columns_without_names_of_their_own_are_given_some():
    assert name_columns(["a", "", "a", " a ", "a (2)"]) == ("a", "column 2", "a (2)", "a (3)", "a (2) (2)")


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (["id", "Photo URL", "link"], "Photo URL"),
        (["url", "image_path"], "image_path"),
        (["link", "filename"], "filename"),
        (["IMAGE LINK", "link"], "IMAGE LINK"),
        (["x", "path"], "path"),
    ],
)
def test_the_column_of_photos_is_told_by_its_name(tmp_path, header, chosen):
    (photo,) = walk(write_csv(tmp_path / "a.csv", [[name for name in header]], header))  # noqa: C416
    assert photo.name == str(tmp_path / chosen)


def test_usual_names_are_written_as_they_are_compared():
    names = (*PHOTO_COLUMNS, *KEY_COLUMNS)
    assert [plain_name(name) for name in names] == list(dict.fromkeys(names))


def test_a_table_without_such_a_column_is_refused(tmp_path):
    path = write_csv(tmp_path / "a.csv", [], [f"c{number}" for number in range(30)])
    with pytest.raises(UsageError, match=r"`photo_column`.*c19 and 10 more"):
        walk(path)


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02 not a table"])
def test_what_is_no_table_is_refused(tmp_path, ending, content):
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(HangtagError, match=r"a\."):
        walk(tmp_path / f"a{ending}")


def test_a_table_that_breaks_off_is_an_entry_behind_its_rows(tmp_path):
    (tmp_path / "a.csv").write_text(f"path\n1.jpg\n{'x' * 1_000_001}\n2.jpg\n")
    first, last = walk(tmp_path / "a.csv")
    assert first.name.endswith("1.jpg")
    with pytest.raises(
        PhotoError, match=r"beyond line 2 \(line 3 is longer than 1,000,000 characters\)"
    ) as caught:
        last.read()
    assert caught.value.reason is Reason.UNREADABLE
    assert last.name == str(tmp_path / "a.csv")


def test_absolute_paths_and_addresses_are_taken_as_they_are(tmp_path):
    rows = [["/photos/1.jpg"], ["ftp://host/1.jpg"], [" 2.jpg "]]
    absolute, unknown, relative = walk(write_csv(tmp_path / "a.csv", rows, ["path"]))
    assert absolute.name == "/photos/1.jpg"
    assert relative.name == str(tmp_path / "2.jpg")
    assert unknown.name == "ftp://host/1.jpg"
    with pytest.raises(PhotoError, match="ftp://"):
        unknown.read()


@pytest.mark.parametrize(("ending", "rows"), [(".csv", 10_000), (".parquet", 10_000)])
def test_a_long_table_is_walked_in_flat_memory(tmp_path, ending, rows):
    path = tmp_path / f"long{ending}"
    if ending == ".csv":
        with path.open("w") as file:
            file.write("path,name\n")
            file.writelines(f"photos/{number}.jpg,product {number}\n" for number in range(rows))
    else:
        names = [f"photos/{number}.jpg" for number in range(rows)]
        pq.write_table(pa.table({"path": names, "name": names}), path)
    tracemalloc.start()
    with open_inputs([path]) as inputs:
        count = sum(1 for _ in inputs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == rows
    assert peak < 4_000_000, "a photo with its values takes 450 bytes"


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([["/shop/1", "1.JPG", "x"]], "1.JPG"),
        ([["a.jpg", "b.jpg", "x"]], "a.jpg"),
        ([["x", "y", "https://host/1.webp?w=9"]], "https://host/1.webp?w=9"),
        ([["Women > Tops", "", "https://host/img?id=5"]], "https://host/img?id=5"),
        ([["x", "y", "z"]], "x"),
        ([["3", "", "x"], ["2", "a.jpg", "x"], ["4", "b.jpg", "x"]], "a.jpg"),
        ([["x", "", "https://host/shop/1"], ["x", "a.jpg, b.jpg", "https://host/shop/2"]], "a.jpg"),
    ],
)
def test_of_several_likely_columns_the_one_with_photos_is_taken(tmp_path, rows, chosen):
    photos = walk(write_csv(tmp_path / "a.csv", rows, ["path", "image", "url"]))
    assert any(photo.name.endswith(chosen) for photo in photos)


@pytest.mark.parametrize(
    "cell",
    ["a.jpg, b.jpg", "a.jpg|b.jpg", "a.jpg;b.jpg", "a.jpg\nb.jpg", '["a.jpg", "b.jpg"]', "a.jpg,", "a.jpg|"],
)
def test_of_several_photos_in_a_cell_the_first_is_taken_and_it_is_said(tmp_path, cell):
    path = write_csv(tmp_path / "a.csv", [["1", cell]], ["sku", "Images"])
    with open_inputs([path]) as inputs:
        (photo,) = inputs
        several = [f"{path}: 1 cell names several photos; the first of each is labelled"]
        assert inputs.notes == (several if "b.jpg" in cell else [])
    assert photo.name == str(tmp_path / "a.jpg")
    assert photo.extra["Images"] == cell


@pytest.mark.parametrize(
    "name", ["a, b.jpg", "https://h/123_High,_X,s-7.jpg", "https://h/w_200,q_3/a.jpg", "[1].jpg", "x;y.png"]
)
def test_a_name_with_a_comma_is_one_name(tmp_path, name):
    (photo,) = walk(write_csv(tmp_path / "a.csv", [[name]], ["path"]))
    assert photo.name.endswith(name)


def test_a_file_that_is_called_like_two_is_one(tmp_path):
    (tmp_path / "a.jpg,b.jpg").touch()
    (photo,) = walk(write_csv(tmp_path / "a.csv", [["a.jpg,b.jpg"]], ["path"]))
    assert photo.name == str(tmp_path / "a.jpg,b.jpg")


def test_a_cell_that_links_to_an_address_means_the_address(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["sku", "image"])
    sheet.write_url(1, 1, "https://host.test/1.jpg", string="Photo")
    sheet.write_url(2, 1, "https://host.test/elsewhere", string="2.jpg")
    book.close()
    linked, named = walk(tmp_path / "a.xlsx")
    assert linked.name == "https://host.test/1.jpg"
    assert linked.extra["image"] == "Photo"
    assert named.name == str(tmp_path / "2.jpg")


@pytest.mark.parametrize(
    "formula", ['=HYPERLINK("https://host.test/1.jpg";"Photo")', '=image( "https://host.test/1.jpg" )']
)
def test_a_formula_in_a_csv_means_what_it_links_to(tmp_path, formula):
    (photo,) = walk(write_csv(tmp_path / "a.csv", [[formula]], ["image"]))
    assert photo.name == "https://host.test/1.jpg"
    assert photo.extra["image"] == formula


def test_a_file_address_is_a_path(tmp_path):
    (tmp_path / "a b%.jpg").touch()
    address = (tmp_path / "a b%.jpg").as_uri()
    rows = [[address], [address.replace("//", "//localhost", 1)], ["file:///C:/shop/a%20b%25.jpg"]]
    photos = walk(write_csv(tmp_path / "a.csv", rows, ["image"]))
    assert [photo.name for photo in photos] == [str(tmp_path / "a b%.jpg")] * 3
    assert [photo.name for photo in walk(address)] == [str(tmp_path / "a b%.jpg")]
    (shared,) = walk(write_csv(tmp_path / "b.csv", [["file://nas/shop/1.jpg"]], ["image"]))
    assert shared.name == "//nas/shop/1.jpg"


def test_a_column_is_found_in_other_capitals_and_suggested_otherwise(tmp_path):
    path = write_csv(tmp_path / "a.csv", [["1.jpg", "2.jpg"]], ["path", "Other"])
    assert walk(path, photo_column="other")[0].name == str(tmp_path / "2.jpg")
    with pytest.raises(UsageError, match=r"no column 'othr'. Did you mean Other\?"):
        walk(path, photo_column="othr")
    path = write_csv(tmp_path / "b.csv", [["1", "2.jpg"]], ["a", "b"])
    with pytest.raises(UsageError, match="perhaps b, with `photo_column`"):
        walk(path)


@pytest.mark.parametrize("name", ["a.json", "a.xml", "a.numbers", "a.csv.bz2", "a.html"])
def test_tables_of_other_forms_are_refused_with_those_that_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match=r"does not read tables of this format. It reads CSV"):
        walk(tmp_path / name)


def test_how_a_table_was_read_is_said(tmp_path):
    (tmp_path / "a.csv").write_bytes("path\né.jpg\n".encode("cp1252"))
    with open_inputs([tmp_path / "a.csv"]) as inputs:
        assert [photo.name for photo in inputs] == [str(tmp_path / "é.jpg")]
        assert inputs.notes == [f"{tmp_path / 'a.csv'}: 1 line is not UTF-8 and read as Windows-1252"]


def test_excel_may_state_its_separator(tmp_path):
    (tmp_path / "sheet.csv").write_text('sep=;\nphoto;note\na.jpg;"x;y"\n')
    with open_inputs([tmp_path / "sheet.csv"]) as inputs:
        assert [dict(photo.extra) for photo in inputs] == [{"photo": "a.jpg", "note": "x;y"}]
        assert inputs.count() == 1


def rows_of(path):
    photos = list(open_inputs([path]))
    return [(photo.name, photo.error.detail if hasattr(photo, "error") else photo.read()) for photo in photos]


@pytest.mark.parametrize(
    ("file", "written"),
    [
        (unicodedata.normalize("NFD", "Blüse.jpg"), "Blüse.jpg"),
        ("Röcke.jpg", unicodedata.normalize("NFD", "Röcke.jpg")),
        ("img/a 1.jpg", ".\\img\\a 1.jpg"),
        ("IMG_1.JPG", "IMG_1.jpg"),
        ("img/blüse 1.jpg", "img/bl%C3%BCse%201.jpg"),
        ("010/0108775015.jpg", "0108775015.jpg"),
        ("010/0108775015.jpg", "C:\\export\\010\\0108775015.jpg"),
        ("shop/7.jpg", "7"),
    ],
)
def test_a_photo_is_found_however_the_table_writes_its_name(tmp_path, file, written):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"photo")
    write_csv(tmp_path / "t.csv", [[1, written, "", ""]])
    ((name, data),) = rows_of(tmp_path / "t.csv")
    assert (Path(name), data) == (tmp_path / file, b"photo")


def test_a_row_that_names_a_product_has_all_its_photos(tmp_path):
    for name in ("SKU-1_front.jpg", "SKU-1_back.jpg", "SKU-10.jpg"):
        (tmp_path / name).write_bytes(b"x")
    write_csv(tmp_path / "t.csv", [[1, "SKU-1", "", ""]])
    assert [Path(name).name for name, _ in rows_of(tmp_path / "t.csv")] == [
        "SKU-1_back.jpg",
        "SKU-1_front.jpg",
    ]


def test_what_could_be_meant_is_told_and_not_taken(tmp_path):
    for name in ("a/7.jpg", "b/7.jpg", "IMG-2.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    write_csv(tmp_path / "t.csv", [[1, "7.jpg", "", ""], [2, "IMG_2.jpg", "", ""]])
    assert [detail for _, detail in rows_of(tmp_path / "t.csv")] == [
        "the file does not exist; several photos could be meant: a/7.jpg, b/7.jpg",
        "the file does not exist; there is IMG-2.jpg",
    ]


def test_what_is_too_long_for_a_path_is_not_sought(tmp_path):
    (photo,) = walk(write_csv(tmp_path / "a.csv", [["x" * 20_000]], ["path"]))
    with pytest.raises(PhotoError, match="too long"):
        photo.read()
    assert len(photo.name) == 200


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_table_without_a_header_has_its_first_line_as_a_row(tmp_path, ending):
    path = WRITERS[ending](tmp_path / f"list{ending}", [["Shirt", "2.jpg", 9.5]], ["Cap", "1.jpg", "7"])
    with open_inputs([path]) as inputs:
        assert [name for name, _ in inputs.columns] == ["column 1", "column 2", "column 3"]
        assert inputs.count() == 2
        found = list(inputs)
    assert [photo.name for photo in found] == [str(tmp_path / "1.jpg"), str(tmp_path / "2.jpg")]
    assert [tuple(photo.extra.values()) for photo in found] == [
        ("Cap", "1.jpg", "7"),
        ("Shirt", "2.jpg", "9.5"),
    ]


@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "NULL", " nan "])
def test_a_cell_that_is_missing_or_an_error_names_no_photo(tmp_path, cell):
    (tmp_path / "A.jpg").write_bytes(b"a photo")
    (photo,) = walk(write_csv(tmp_path / "t.csv", [["A", cell]], ["sku", "image"]))
    with pytest.raises(PhotoError) as caught:
        photo.read()
    assert caught.value.reason is Reason.NOT_NAMED


def test_a_photo_may_be_called_like_a_missing_value(tmp_path):
    (tmp_path / "NA").write_bytes(b"a photo")
    (photo,) = walk(write_csv(tmp_path / "t.csv", [["A", "NA"]], ["sku", "image"]))
    assert photo.read() == b"a photo"


@pytest.mark.parametrize("cell", [b"a photo", {"bytes": b"a photo", "path": "1.jpg"}])
def test_a_column_of_photos_instead_of_names_is_refused(tmp_path, cell):
    pq.write_table(pa.table({"image": [cell]}), tmp_path / "set.parquet")
    with pytest.raises(UsageError, match="column image holds the photos themselves"):
        walk(tmp_path / "set.parquet")
