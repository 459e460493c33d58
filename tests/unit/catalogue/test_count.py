import pyarrow as pa
import pytest

from hangtag.catalogue.describe import count_products, cross_table
from hangtag.domain.errors import UsageError

TABLE = pa.table(
    {
        "season": ["Summer", "Summer", None, "Fall", "Summer", None, "Winter"],
        "gender": ["Men", "Women", "Men", "Men", "Men", "Men", None],
        "group": pa.array([1, 1, 1, 1, 1, 1, 2], pa.int64()),
    }
)


def test_classes_come_by_size_and_missing_is_one_of_them():
    assert count_products(TABLE, ["season"]).to_pylist() == [
        {"season": "Summer", "count": 3, "share": 3 / 7},
        {"season": None, "count": 2, "share": 2 / 7},
        {"season": "Fall", "count": 1, "share": 1 / 7},
        {"season": "Winter", "count": 1, "share": 1 / 7},
    ]


def test_classes_of_the_same_size_come_in_alphabetical_order():
    backwards = TABLE.take(list(reversed(range(7))))
    assert count_products(backwards, ["season"]) == count_products(TABLE, ["season"])


def test_two_columns_cross():
    crossed = cross_table(count_products(TABLE, ["season", "gender"]))
    assert crossed.to_pylist() == [
        {"season": "Summer", "Men": 2, "Women": 1, "(missing)": 0, "total": 3},
        {"season": None, "Men": 2, "Women": 0, "(missing)": 0, "total": 2},
        {"season": "Fall", "Men": 1, "Women": 0, "(missing)": 0, "total": 1},
        {"season": "Winter", "Men": 0, "Women": 0, "(missing)": 1, "total": 1},
    ]


def test_several_columns_list_the_combinations_that_exist():
    rows = count_products(TABLE, ["gender", "season", "group"]).to_pylist()
    assert rows[0] == {"gender": "Men", "season": None, "group": 1, "count": 2, "share": 2 / 7}
    assert len(rows) == 5
    assert sum(row["count"] for row in rows) == 7


def test_an_empty_table_has_no_classes():
    assert count_products(TABLE.slice(0, 0), ["season"]).num_rows == 0


def test_an_unknown_column_is_answered_with_the_one_that_was_meant_and_the_list():
    with pytest.raises(UsageError, match=r"no column Seson. Did you mean season\? .*season, gender, group"):
        count_products(TABLE, ["Seson"])


def test_a_column_like_none_is_answered_with_the_list_alone():
    with pytest.raises(UsageError, match=r"no column price. The columns are season"):
        count_products(TABLE, ["price"])


@pytest.mark.parametrize("columns", [[], ["season", "season"]])
def test_no_column_or_one_twice_is_refused(columns):
    with pytest.raises(UsageError):
        count_products(TABLE, columns)


@pytest.mark.parametrize("name", ["count", "share", "total", "(missing)"])
def test_a_column_with_the_name_of_a_figure_can_be_counted(name):
    table = pa.table({name: ["a", "b", "a"], "gender": ["x", "x", None]})
    assert count_products(table, [name]).column(0).to_pylist() == ["a", "b"]
    crossed = cross_table(count_products(table, ["gender", name]))
    assert [column.to_pylist() for column in crossed.columns] == [["x", None], [1, 1], [1, 0], [2, 1]]


def test_a_class_with_the_name_of_a_figure_has_its_own_column():
    table = pa.table({"gender": ["x", "x"], "season": ["total", None]})
    crossed = cross_table(count_products(table, ["gender", "season"]))
    assert crossed.column_names == ["gender", "(missing)", "total", "total_"]
