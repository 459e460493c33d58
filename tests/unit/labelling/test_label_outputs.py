import csv
import io
import json
import os
import re
import tempfile
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from hangtag.domain.errors import UsageError
from hangtag.domain.prediction import Flag
from hangtag.labelling.outputs import STANDARD_OUTPUT, Layout, Output, open_table
from hangtag.tables import parquet, writing
from hangtag.tables.cells import TYPED_KINDS, Kind
from hangtag.tables.writing import CsvWriter
from hangtag.tables.xlsx import XlsxWriter

LAYOUT = Layout(("articleType",), top_k=2)
ROWS = {
    "path": ["a.jpg", "b, c.jpg"],
    "status": ["labelled", "failed"],
    "reason": [None, "empty"],
    "articleType": ["Tshirts", None],
    "articleType_confidence": [0.93127, None],
    "articleType_top": [[("Tshirts", 0.93127), ("Shirts", 0.05)], None],
    "answer": ["Apparel › Topwear", None],
    "answer_level": ["subCategory", None],
    "flags": [(Flag.TOO_DARK, Flag.BLURRED), None],
}
FORMATS = [".csv", ".xlsx", ".jsonl", ".parquet"]
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def write(path, rows, layout=LAYOUT):
    with open_table(Output.parse(str(path)), layout) as writer:
        writer.write(rows)


def rows_of(paths, labels):
    count = len(paths)
    return {
        "path": paths,
        "status": ["labelled"] * count,
        "reason": [None] * count,
        "articleType": labels,
        "articleType_confidence": [0.5] * count,
        "articleType_top": [[(label, 0.5)] for label in labels],
        "answer": labels,
        "answer_level": ["articleType"] * count,
        "flags": [()] * count,
    }


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_line_a_row(tmp_path):
    write(tmp_path / "out.csv", ROWS)
    assert (tmp_path / "out.csv").read_bytes().decode() == (
        "path,status,reason,articleType,articleType_confidence,articleType_top,answer,answer_level,flags\n"
        "a.jpg,labelled,,Tshirts,0.9313,Tshirts:0.9313|Shirts:0.0500,Apparel › Topwear,subCategory,"
        '"too_dark;blurred"\n'
        '"b, c.jpg",failed,empty,,,,,,\n'
    )


def test_jsonl_has_an_object_a_row(tmp_path):
    write(tmp_path / "out.jsonl", ROWS)
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text("utf-8").splitlines())
    assert first == {
        "path": "a.jpg",
        "status": "labelled",
        "reason": None,
        "articleType": "Tshirts",
        "articleType_confidence": 0.9313,
        "articleType_top": [
            {"label": "Tshirts", "confidence": 0.9313},
            {"label": "Shirts", "confidence": 0.05},
        ],
        "answer": "Apparel › Topwear",
        "answer_level": "subCategory",
        "flags": ["too_dark", "blurred"],
    }
    assert (second["path"], second["articleType"], second["articleType_top"]) == ("b, c.jpg", None, None)
    assert second["flags"] is None


def test_parquet_is_typed(tmp_path):
    write(tmp_path / "out.parquet", ROWS)
    table = pq.read_table(tmp_path / "out.parquet")
    assert [str(kind) for kind in table.schema.types] == [
        *["string"] * 4,
        "float",
        "list<element: struct<label: string, confidence: float>>",
        *["string"] * 2,
        "list<element: string>",
    ]
    assert table["flags"].to_pylist() == [["too_dark", "blurred"], None]
    assert table["articleType"].to_pylist() == ["Tshirts", None]
    assert table["articleType_confidence"].to_pylist() == [pytest.approx(0.93127), None]
    assert [entry["label"] for entry in table["articleType_top"][0].as_py()] == ["Tshirts", "Shirts"]


def test_xlsx_holds_text_as_text_and_confidence_as_number(tmp_path):
    rows = rows_of(["=1+1.jpg", "https://x/y.jpg", "007"], ["Tshirts"] * 3)
    write(tmp_path / "out.xlsx", rows)
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    cells = list(sheet.iter_rows(min_row=2))
    assert [row[0].value for row in cells] == rows["path"]
    assert {cell.data_type for row in cells for cell in (*row[:4], row[5]) if cell.value is not None} == {"s"}
    assert {cell.number_format for row in cells for cell in row[:2]} == {"@"}
    assert [row[4].value for row in cells] == [0.5] * 3
    assert all(row[0].hyperlink is None for row in cells)
    write(tmp_path / "out.xlsx", ROWS)
    first, second = openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows(min_row=2, min_col=7)
    assert [cell.value for cell in first] == ["Apparel › Topwear", "subCategory", "too_dark;blurred"]
    assert [cell.value for cell in second] == [None] * 3
    assert sheet.freeze_panes == "B2"


def test_a_long_workbook_goes_on_in_the_next_sheet():
    file = io.BytesIO()
    writer = XlsxWriter(file, LAYOUT.kinds, rows_per_sheet=3)
    names = [f"{number}.jpg" for number in range(5)]
    writer.write(rows_of(names[:1], ["A"]))
    writer.write(rows_of(names[1:], ["A"] * 4))
    writer.finish()
    workbook = openpyxl.load_workbook(file)
    assert workbook.sheetnames == ["labels", "labels 2", "labels 3"]
    found = [row[0] for sheet in workbook for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert found == names


def test_parquet_holds_rows_back_until_a_group_is_worth_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_PER_GROUP", 4)
    with open_table(Output.parse(str(tmp_path / "out.parquet")), LAYOUT) as writer:
        for _ in range(5):
            writer.write(ROWS)
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)] == [4, 4, 2]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_without_rows_still_has_its_columns(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    with open_table(Output.parse(str(path)), LAYOUT):
        pass
    if suffix == ".parquet":
        assert pq.read_table(path).column_names == list(LAYOUT.kinds)
    elif suffix == ".xlsx":
        assert [cell.value for cell in openpyxl.load_workbook(path).active[1]] == list(LAYOUT.kinds)
    elif suffix == ".csv":
        assert path.read_text("utf-8") == ",".join(LAYOUT.kinds) + "\n"
    else:
        assert path.read_bytes() == b""


@given(st.lists(texts, min_size=1, max_size=5), texts)
@settings(max_examples=40, deadline=None)
def test_any_text_comes_back_from_every_format(paths, label):
    rows = rows_of(paths, [label] * len(paths))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        for suffix in FORMATS:
            write(out.with_suffix(suffix), rows)
        json_rows = [json.loads(line) for line in out.with_suffix(".jsonl").read_bytes().split(b"\n")[:-1]]
        assert [row["path"] for row in json_rows] == paths
        table = pq.read_table(out.with_suffix(".parquet"))
        assert table["path"].to_pylist() == paths
        assert table["articleType"].to_pylist() == rows["articleType"]
        sheet = openpyxl.load_workbook(out.with_suffix(".xlsx")).active
        assert [unescape(cell.value) for cell in sheet["A"][1:]] == paths
        found = read_csv(out.with_suffix(".csv"))
        assert [row["path"].removeprefix("./") for row in found] == [
            path.removeprefix("./") for path in paths
        ]
        assert {row["articleType"].removeprefix("'") for row in found} == {label.removeprefix("'")}
        candidates = found[0]["articleType_top"].removeprefix("'")
        assert candidates.rsplit(":", 1)[0].replace("\\|", "|").replace("\\\\", "\\") == label.removeprefix(
            "'"
        )


@given(st.sampled_from("=+-@\t\r＝＋－＠"), texts)  # noqa: RUF001 - the wide signs are the point
@settings(max_examples=40, deadline=None)
def test_no_cell_of_a_csv_starts_a_formula(sign, rest):
    assume(not re.fullmatch(r"[0-9.,]*", rest))
    rows = rows_of([sign + rest], [sign + rest])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.csv"
        write(path, rows)
        (row,) = read_csv(path)
    assert row["path"] == f"./{sign}{rest}"
    assert row["articleType"] == f"'{sign}{rest}"
    assert not any(cell.startswith(tuple("=+-@\t\r＝＋－＠")) for cell in row.values())  # noqa: RUF001


@pytest.mark.parametrize("number", ["-5", "+1.5", "-0,25", "+49", "-"])
def test_a_number_is_no_formula(tmp_path, number):
    write(tmp_path / "out.csv", rows_of(["a.jpg"], [number]))
    assert read_csv(tmp_path / "out.csv")[0]["articleType"] == number


@pytest.mark.parametrize("text", ["-5+A1", "--5", "+", "-1.2.3", "-5 ", "+1,5\n", "-x", "=5", "-٣"])
def test_what_only_begins_like_a_number_is_made_harmless(tmp_path, text):
    write(tmp_path / "out.csv", rows_of(["a.jpg"], [text]))
    assert read_csv(tmp_path / "out.csv")[0]["articleType"] == f"'{text}"


def test_a_path_that_was_made_harmless_still_names_its_photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("=cmd.jpg").write_bytes(b"photo")
    write(Path("out.csv"), rows_of(["=cmd.jpg"], ["A"]))
    (row,) = read_csv(Path("out.csv"))
    assert Path(row["path"]).read_bytes() == b"photo"


def test_a_semicolon_cannot_split_a_cell_where_the_comma_is_the_decimal_sign(tmp_path):
    write(tmp_path / "out.csv", rows_of(["a;=1+1"], ["A"]))
    assert (tmp_path / "out.csv").read_text("utf-8").splitlines()[1].startswith('"a;=1+1",')


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_run_leaves_what_was_there(tmp_path, suffix, error):
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"yesterday")

    def label():
        with open_table(Output.parse(str(path)), LAYOUT) as writer:
            writer.write(ROWS)
            raise error

    with pytest.raises(error):
        label()
    assert path.read_bytes() == b"yesterday"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_stands_under_the_name_before_the_end(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    with open_table(Output.parse(str(path)), LAYOUT) as writer:
        writer.write(ROWS)
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    write(tmp_path / "link.csv", ROWS)
    assert (tmp_path / "link.csv").is_symlink()
    assert len(read_csv(tmp_path / "real.csv")) == 2


def test_others_may_read_the_table_as_any_file_one_writes(tmp_path):
    (tmp_path / "usual").touch()
    write(tmp_path / "out.csv", ROWS)
    assert (tmp_path / "out.csv").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_dash_is_csv_on_standard_output(capfdbinary):
    write(STANDARD_OUTPUT, ROWS)
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0] == ",".join(LAYOUT.kinds)
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("out.txt", "no table format ends in '.txt'"),
        ("out", "the name has no extension"),
        ("missing/out.csv", "there is no such folder"),
        ("folder.csv", "this is a folder. Write .*folder.csv/ to fill it"),
    ],
)
def test_an_impossible_output_is_refused_with_a_way_out(tmp_path, name, problem):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=problem):
        Output.parse(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "chosen", "problem"),
    [
        ("-", "parquet", "parquet cannot go to standard output"),
        ("parts/", "csv", "a folder of parts can only be Parquet"),
        ("folder.csv", "csv", "this is a folder"),
        ("file.csv/", None, "this is not a regular file"),
        ("pipe.csv", None, "this is not a regular file"),
    ],
)
def test_an_impossible_format_is_refused(tmp_path, name, chosen, problem):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file.csv").touch()
    with pytest.raises(UsageError, match=problem):
        Output.parse(name if name == "-" else f"{tmp_path}/{name}", chosen)


@pytest.mark.parametrize(
    ("name", "chosen", "expected"),
    [
        ("-", None, ("csv", False)),
        ("-", "jsonl", ("jsonl", False)),
        ("out", "csv", ("csv", False)),
        ("out.data", "xlsx", ("xlsx", False)),
        ("out.JSONL", None, ("jsonl", False)),
        ("out/", None, ("parquet", True)),
    ],
)
def test_an_output_is_understood(name, chosen, expected):
    output = Output.parse(name, chosen)
    assert (output.format, output.is_folder) == expected
    assert output.is_standard_output == (name == "-")


def test_endings_may_be_written_large(tmp_path):
    write(tmp_path / "OUT.CSV", ROWS)
    assert len(read_csv(tmp_path / "OUT.CSV")) == 2


def test_every_column_has_a_kind():
    assert set(LAYOUT.kinds.values()) == set(Kind) - TYPED_KINDS - {Kind.WRITTEN}


def test_a_column_that_never_repeats_itself_is_not_remembered(monkeypatch):
    monkeypatch.setattr(writing, "_MANY_TEXTS", 3)
    file = io.BytesIO()
    writer = CsvWriter(file, LAYOUT.kinds)
    for number in range(9):
        writer.write(
            {name: [None] for name in LAYOUT.kinds} | {"path": ["a"], "articleType": [f"label {number}"]}
        )
        assert len(writer._texts) <= 6  # noqa: SLF001 - what is to stay small
    assert file.getvalue().count(b"label ") == 9
