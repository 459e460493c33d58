"""The table that comes with photos, of any form that hangtag reads: a header and rows of text."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from typing import Final

from hangtag.domain.errors import TableError
from hangtag.server.problems import InvalidRequestError, TooManyFilesError
from hangtag.server.schemas import InvalidValue
from hangtag.tables.cells import Column, Kind
from hangtag.tables.reading import TABLE_ENDINGS, iter_padded_rows, open_table
from hangtag.tables.sandbox import read_in_sandbox
from hangtag.tables.values import RuinedNumbers, drop_zero_fraction

MAX_TABLE_BYTES: Final = 32 * 1024 * 1024
MAX_COLUMNS: Final = 500
MAX_CELL_CHARACTERS: Final = 32_767
"""What a cell of Excel holds: more could not be given back."""

_READ_HERE: Final = (".csv", ".tsv")
"""Text is read line by line and needs no process of its own."""


@dataclass(frozen=True, slots=True)
class GivenTable:
    """A table as it was sent. Each row has a text for each column; `numbers` are the rows' numbers, from 1 on.

    `kinds` says what the columns held, so that numbers and dates can be given back as such.
    """

    name: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: list[int]
    kinds: tuple[Kind, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns with what they hold."""
        kinds = self.kinds or (Kind.WRITTEN,) * len(self.header)
        return tuple(map(Column, self.header, kinds))

    def without_header(self) -> "GivenTable":
        """Return the table whose first row is no header but a row."""
        header = tuple(f"column {position}" for position in range(1, len(self.header) + 1))
        return GivenTable(self.name, header, [self.header, *self.rows], [1, *self.numbers])

    def whole_numbers(self, column: int) -> list[str]:
        """Return the texts of a column; ids that pandas wrote as `15970.0` are whole numbers again."""
        texts = [row[column] for row in self.rows]
        if RuinedNumbers.find(texts).is_certain:
            return [drop_zero_fraction(text.strip()) for text in texts]
        return texts


def is_table_file(name: str) -> bool:
    """Tell whether the name of an uploaded file says that it is a table."""
    return PurePath(name).name.lower().endswith(TABLE_ENDINGS)


def read_given_table(path: Path, name: str, max_rows: int) -> GivenTable:
    """Read the table that was uploaded as `name` and lies at `path`.

    Raises `InvalidRequestError` for one that cannot be read, and `TooManyFilesError` for too many rows.
    """
    try:
        with path.open("rb") as file:
            is_text = name.lower().endswith(_READ_HERE) and not file.read(4).startswith(
                (b"PK", b"\x1f\x8b", b"PAR1")
            )
        if is_text:
            with path.open("rb") as file:
                table = open_table(file, name)
                return _build_table(name, table.columns, iter_padded_rows(table), max_rows)
        columns, rows, _ = read_in_sandbox(path, name)
        return _build_table(name, columns, rows, max_rows)
    except TableError as error:
        raise _unreadable(name, error.problem) from None


def _build_table(
    name: str, columns: tuple[Column, ...], rows: Iterator[tuple[int, list[str]]], max_rows: int
) -> GivenTable:
    if len(columns) > MAX_COLUMNS:
        raise _unreadable(name, f"it has more than {MAX_COLUMNS:,} columns")
    header = tuple(_clean(column.name) for column in columns)
    table = GivenTable(name, header, [], [], tuple(column.kind for column in columns))
    for number, cells in islice(rows, max_rows + 1):
        row = tuple(map(_clean, cells))
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


def _clean(cell: str) -> str:
    return cell.replace("\0", "")  # PostgreSQL cannot store it


def _unreadable(name: str, why: str) -> InvalidRequestError:
    problem = (
        why.removeprefix("the table cannot be read (").removesuffix(")")
        if why.startswith("the table cannot")
        else why
    )
    return InvalidRequestError(
        InvalidValue(field="files", message=f"the table {name} cannot be read: {problem}")
    )
