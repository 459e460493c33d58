"""The table that comes with photos, CSV or XLSX: a header and rows of text."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from typing import Final

from hangtag.domain.errors import CatalogueError
from hangtag.labelling.inputs.csv_rows import find_delimiter, iter_records
from hangtag.labelling.inputs.given_rows import name_columns
from hangtag.server.problems import InvalidRequestError, TooManyFilesError
from hangtag.server.schemas import InvalidValue

WORKBOOK_SUFFIXES: Final = frozenset({".xlsx", ".xlsm"})
TABLE_SUFFIXES: Final = WORKBOOK_SUFFIXES | {".csv", ".tsv"}
"""The file name endings that a table is told by."""

MAX_TABLE_BYTES: Final = 32 * 1024 * 1024
MAX_COLUMNS: Final = 500
MAX_CELL_CHARACTERS: Final = 32_767
"""What a cell of Excel holds: more could not be given back."""

_SECONDS_FOR_A_WORKBOOK: Final = 60


@dataclass(frozen=True, slots=True)
class GivenTable:
    """A table as it was sent. Each row has a cell for each column; `numbers` are the rows' numbers, from 1 on."""

    name: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: list[int]

    def without_header(self) -> "GivenTable":
        """Return the table whose first row is no header but a row."""
        header = tuple(f"column {position}" for position in range(1, len(self.header) + 1))
        return GivenTable(self.name, header, [self.header, *self.rows], [1, *self.numbers])


def read_given_table(path: Path, name: str, max_rows: int) -> GivenTable:
    """Read the table that was uploaded as `name` and lies at `path`.

    Raises `InvalidRequestError` for one that cannot be read, and `TooManyFilesError` for too many rows.
    """
    try:
        if PurePath(name).suffix.lower() in WORKBOOK_SUFFIXES:
            return _build_table(name, _iter_sheet(_convert_workbook(path, name)), ",", max_rows)
        delimiter = find_delimiter(path) or ","
        rows = ((number, cells) for number, cells, _ in iter_records(path, delimiter))
        return _build_table(name, rows, delimiter, max_rows)
    except CatalogueError as error:
        raise _unreadable(name, error.problem) from None
    except csv.Error as error:
        raise _unreadable(name, str(error)) from None


def _build_table(
    name: str, rows: Iterator[tuple[int, list[str]]], delimiter: str, max_rows: int
) -> GivenTable:
    """Build a table of numbered rows, the header first."""
    first = next(rows, None)
    if first is None:
        raise _unreadable(name, "it is empty")
    header = name_columns(map(_clean, first[1]))
    if len(header) > MAX_COLUMNS:
        raise _unreadable(name, f"it has more than {MAX_COLUMNS:,} columns")
    table = GivenTable(name, header, [], [])
    for number, cells in islice(rows, max_rows + 1):
        row = _fit(cells, len(header), delimiter)
        if max(map(len, row)) > MAX_CELL_CHARACTERS:
            problem = f"a cell of row {number:,} has more than {MAX_CELL_CHARACTERS:,} characters"
            raise _unreadable(name, problem)
        table.rows.append(row)
        table.numbers.append(number)
    if len(table.rows) > max_rows:
        raise TooManyFilesError(
            f"{name} has more than {max_rows:,} rows",
            fix="Make several jobs of it, each with a part of the rows.",
        )
    return table


def _fit(cells: list[str], width: int, delimiter: str) -> tuple[str, ...]:
    """Return as many cells as there are columns. What is too much was a delimiter in the last one, without quotes."""
    if len(cells) > width:
        cells = [*cells[: width - 1], delimiter.join(cells[width - 1 :]).rstrip(delimiter)]
    return tuple(_clean(cell) for cell in cells) + ("",) * (width - len(cells))


def _clean(cell: str) -> str:
    return cell.replace("\0", "")  # PostgreSQL cannot store it


def _iter_sheet(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Iterate the rows that are not blank of what `_convert_workbook` wrote, whose quotes are all in order."""
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if any(map(str.strip, row)):
                yield number, row


def _convert_workbook(path: Path, name: str) -> Path:
    """Write a workbook's first sheet as CSV beside it.

    In a process of its own, with little memory: a few bytes of a workbook can claim a cell a billion rows away.
    """
    target = path.with_suffix(".csv")
    script = Path(__file__).with_name("sheet_to_csv.py")
    try:
        done = subprocess.run(  # noqa: S603 - our own script; the paths are ours too
            [sys.executable, "-P", str(script), str(path), str(target)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS_FOR_A_WORKBOOK,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unreadable(name, "reading it takes too long") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        expected = done.returncode == 1 and lines
        raise _unreadable(name, lines[-1] if expected else "it needs too much memory, or is damaged")
    return target


def _unreadable(name: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field="files", message=f"the table {name} cannot be read: {why}"))
