"""The table that comes with photos, CSV or XLSX: a header and rows of text."""

import codecs
import csv
import io
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from typing import Final

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
_DELIMITERS: Final = (",", ";", "\t", "|")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


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
    if PurePath(name).suffix.lower() in WORKBOOK_SUFFIXES:
        path = _convert_workbook(path, name)
    text = _decode(path.read_bytes())
    reader, delimiter = _open_reader(text)
    try:
        return _build_table(name, reader, delimiter, max_rows)
    except csv.Error as error:
        raise _unreadable(name, str(error)) from None


def _build_table(name: str, reader: Iterator[list[str]], delimiter: str, max_rows: int) -> GivenTable:
    numbered = ((number, row) for number, row in enumerate(reader, start=1) if any(map(str.strip, row)))
    first = next(numbered, None)
    if first is None:
        raise _unreadable(name, "it is empty")
    header = _build_header(first[1])
    if len(header) > MAX_COLUMNS:
        raise _unreadable(name, f"it has more than {MAX_COLUMNS:,} columns")
    table = GivenTable(name, header, [], [])
    for number, cells in islice(numbered, max_rows + 1):
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


def _build_header(cells: list[str]) -> tuple[str, ...]:
    """Return the names of the columns, each one once; one without a name is called by its position."""
    seen: Counter[str] = Counter()
    header = []
    for position, cell in enumerate(cells, start=1):
        name = _clean(cell).strip() or f"column {position}"
        seen[name] += 1
        header.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(header)


def _fit(cells: list[str], width: int, delimiter: str) -> tuple[str, ...]:
    """Return as many cells as there are columns. What is too much was a delimiter in the last one, without quotes."""
    if len(cells) > width:
        cells = [*cells[: width - 1], delimiter.join(cells[width - 1 :]).rstrip(delimiter)]
    return tuple(_clean(cell) for cell in cells) + ("",) * (width - len(cells))


def _clean(cell: str) -> str:
    return cell.replace("\0", "")  # PostgreSQL cannot store it


def _open_reader(text: str) -> tuple[Iterator[list[str]], str]:
    first_line, _, rest = text.lstrip("\r\n").partition("\n")
    stated = first_line.strip().removeprefix("sep=")
    if first_line.startswith("sep=") and len(stated) == 1:  # how Excel states it
        return csv.reader(io.StringIO(rest, newline=""), delimiter=stated), stated
    delimiter = max(_DELIMITERS, key=lambda one: _count_columns(text, one))
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), delimiter


def _count_columns(text: str, delimiter: str) -> int:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return len(next((row for row in rows if any(row)), []))
    except csv.Error:
        return 0


def _decode(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


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
