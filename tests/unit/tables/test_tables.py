import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.domain.errors import CatalogueError, TableError
from hangtag.tables.tables import need_columns, read_table, write_table

NAMES = ["Shirt", None, 'Tempo 3.5" Short', "Tie, Cufflink", "Größe ₹", "NA", "007"]


def table_of(names):
    return pa.table(
        {"id": pa.array([str(n) for n in range(len(names))]), "name": pa.array(names, pa.string())}
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_comes_back_as_it_was_written(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write_table(table_of(NAMES), path)
    assert read_table(path).to_pylist() == table_of(NAMES).to_pylist()


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(st.lists(st.one_of(st.none(), text), min_size=1))
def test_csv_keeps_any_visible_text(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write_table(table_of(names), path)
    assert read_table(path)["name"].to_pylist() == names


def test_groups_are_numbers_in_csv_too(tmp_path):
    table = pa.table({"group": pa.array([3, 10], pa.int64()), "year": pa.array(["2012", "2013"])})
    write_table(table, tmp_path / "split.csv")
    assert read_table(tmp_path / "split.csv").schema.types == [pa.int64(), pa.string()]


def test_parquet_keeps_the_metadata(tmp_path):
    write_table(table_of(NAMES).replace_schema_metadata({"hangtag.split": "{}"}), tmp_path / "split.parquet")
    assert read_table(tmp_path / "split.parquet").schema.metadata == {b"hangtag.split": b"{}"}


def test_the_folder_is_made_and_no_other_file_is_left(tmp_path):
    write_table(table_of(NAMES), tmp_path / "new" / "folder" / "table.csv")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["table.csv"]


def test_a_failed_write_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    write_table(table_of(NAMES), path)
    before = path.read_bytes()
    unwritable = pa.table({"name": pa.array(["x"]), "when": pa.array([2**62], pa.timestamp("s"))})
    with pytest.raises(OverflowError):
        write_table(unwritable, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_says_no_format_is_refused(tmp_path):
    with pytest.raises(CatalogueError, match=r"\.csv or \.parquet"):
        write_table(table_of(NAMES), tmp_path / "table.txt")


def test_a_path_that_cannot_be_written_is_an_error_with_a_fix(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CatalogueError, match="Write it somewhere else"):
        write_table(table_of(NAMES), tmp_path / "file" / "table.csv")


def test_an_absent_table_says_which_command_makes_one(tmp_path):
    with pytest.raises(CatalogueError, match="hangtag clean"):
        read_table(tmp_path / "cleaned.parquet")


@pytest.mark.parametrize(
    ("name", "data"), [("bad.parquet", b"a,b\n1,2\n"), ("bad.csv", b""), ("b.csv", b"group\nx\n")]
)
def test_a_damaged_table_is_an_error_that_names_it(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TableError, match=name):
        read_table(tmp_path / name)


def test_other_forms_and_odd_rows_are_read_as_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'sep=;\na;b\n1;"\xff\n2\n')
    assert read_table(tmp_path / "a.csv").to_pylist() == [{"a": "1", "b": '"ÿ'}, {"a": "2", "b": None}]
    (tmp_path / "a.jsonl").write_text('{"a": 15970, "b": true}\n')
    assert read_table(tmp_path / "a.jsonl").to_pylist() == [{"a": "15970", "b": "TRUE"}]


def test_lacking_columns_are_named():
    with pytest.raises(CatalogueError, match=r"no column split or note.*Its columns are id, name"):
        need_columns(table_of(NAMES), ["id", "split", "note"], "here")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_csv_is_parted_by_what_its_header_has_most_of(tmp_path, delimiter):
    path = tmp_path / "table.csv"
    path.write_text(
        delimiter.join(['"a;,|,;|\t\tx"', "b", "c"]) + "\n" + delimiter.join("123") + "\n", "utf-8-sig"
    )
    assert read_table(path).to_pylist() == [{"a;,|,;|\t\tx": "1", "b": "2", "c": "3"}]
