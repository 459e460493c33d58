"""Count products by one column or several."""

from collections import Counter
from collections.abc import Container, Sequence
from typing import Final

import pyarrow as pa

from hangtag.domain.errors import UsageError
from hangtag.domain.text import did_you_mean

COUNT: Final = "count"
SHARE: Final = "share"
TOTAL: Final = "total"
MISSING_NAME: Final = "(missing)"
"""What a cross table calls the column of products without a value."""


def count_products(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return one row per combination of values that exists, with its `count` and its `share` (0 to 1).

    The largest comes first; a missing value counts as a value of its own (null).

    Raises `UsageError` naming the columns there are when one is unknown, or when none or one twice is given.
    """
    _check_columns(table, columns)
    counts = Counter(zip(*(table[column].to_pylist() for column in columns), strict=True))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], [str(value or "") for value in item[0]]))
    values: list[list[str | None]] = [[key[place] for key, _ in ordered] for place in range(len(columns))]
    sizes = [size for _, size in ordered]
    arrays = {
        column: pa.array(found, table.schema.field(column).type)
        for column, found in zip(columns, values, strict=True)
    }
    shares = [size / table.num_rows for size in sizes]
    arrays[_free_name(COUNT, arrays)] = pa.array(sizes, pa.int64())
    arrays[_free_name(SHARE, arrays)] = pa.array(shares, pa.float64())
    return pa.table(arrays)


def cross_table(counts: pa.Table) -> pa.Table:
    """Turn the counts of two columns into a row per value of the first and a column per value of the second.

    Rows and columns are ordered by their sums, the largest first; the last column is each row's `total`.
    """
    down = counts.column_names[0]
    cells: Counter[tuple[object, object]] = Counter()
    rows: Counter[object] = Counter()
    columns: Counter[object] = Counter()
    for row, column, size in zip(*(counts.column(place).to_pylist() for place in range(3)), strict=True):
        cells[row, column] += size
        rows[row] += size
        columns[column] += size
    down_values = [row for row, _ in rows.most_common()]
    crossed = {down: pa.array(down_values, counts.schema.field(down).type)}
    for column, _ in columns.most_common():
        name = MISSING_NAME if column is None else str(column)
        crossed[_free_name(name, crossed)] = pa.array([cells[row, column] for row in down_values], pa.int64())
    crossed[_free_name(TOTAL, crossed)] = pa.array([rows[row] for row in down_values], pa.int64())
    return pa.table(crossed)


def _free_name(name: str, taken: Container[str]) -> str:
    """Return the name, or a longer one where a catalogue has a column or a class of that name."""
    while name in taken:
        name += "_"
    return name


def _check_columns(table: pa.Table, columns: Sequence[str]) -> None:
    there = ", ".join(table.column_names)
    if not columns or len(set(columns)) < len(columns):
        raise UsageError("give one column or several different ones", fix=f"The columns are {there}.")
    for column in columns:
        if column not in table.column_names:
            fix = f"{did_you_mean(column, table.column_names)}The columns are {there}."
            raise UsageError(f"there is no column {column}", fix=fix)
