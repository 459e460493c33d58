"""The columns of tables, and the values in their cells."""

import datetime as dt
from collections.abc import Iterable
from enum import Enum, auto
from typing import Final, NamedTuple, cast

Candidates = list[tuple[str, float]]
"""Labels with their confidences (0 to 1), the chosen one first."""

Names = tuple[str, ...]
"""Several codes in one cell."""

Cell = str | float | dt.date | Candidates | Names | None
"""A value of a table; None if there is none."""


class Kind(Enum):
    """What a column holds. A moment is a date with a time, without a time zone."""

    TEXT = auto()
    WRITTEN = auto()
    """Text of a CSV, which may be a number or a date to whoever wrote it."""
    PATH = auto()
    """A path or an address of a photo, as text."""
    CONFIDENCE = auto()
    CANDIDATES = auto()
    NAMES = auto()
    INTEGER = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    DATE = auto()
    MOMENT = auto()


TYPED_KINDS: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE, Kind.MOMENT})
"""The kinds of columns whose values are not text in the file they came from."""

TEXT_KINDS: Final = frozenset({Kind.TEXT, Kind.WRITTEN, Kind.PATH})
"""The kinds of columns that hold text."""

LARGEST_EXACT: Final = 2.0**53
"""Up to here a float holds every whole number."""


class Column(NamedTuple):
    """A column: its name, which no other column of the table has, and what it holds."""

    name: str
    kind: Kind


class TableRow(NamedTuple):
    """A row: the number of its line, row or record in the file, and a value for each column (None: empty)."""

    number: int
    values: tuple[object, ...]


def name_beside(names: Iterable[str], taken: Iterable[str], mark: str) -> list[str]:
    """Return what columns are called beside those that have their names, one by one: `path (given)`.

    Capital letters make no difference, since they make none in a spreadsheet's formulas or in SQL.
    """
    used = {name.casefold() for name in taken}
    found = []
    for own in names:
        name = own
        while name.casefold() in used:
            name = f"{name} ({mark})"
        used.add(name.casefold())
        found.append(name)
    return found


def name_columns(header: Iterable[str]) -> tuple[str, ...]:
    """Return a different name for each column: `name`, `name (2)`; `column 3` for one without a name."""
    names: list[str] = []
    for position, written in enumerate(header, start=1):
        name = first = written.strip() or f"column {position}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{first} ({copies})"
        names.append(name)
    return tuple(names)


def render_value(value: object) -> str:
    """Return a value as text: numbers and dates as a spreadsheet shows them in its plainest format."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_EXACT:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def kind_of(value: object) -> Kind:
    """Return the kind of column that a value fits into."""
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, int):
        return Kind.INTEGER if abs(value) < 2**63 else Kind.TEXT
    if isinstance(value, float):
        return Kind.INTEGER if value.is_integer() and abs(value) < LARGEST_EXACT else Kind.NUMBER
    if isinstance(value, dt.datetime):
        return Kind.MOMENT if value.tzinfo is None else Kind.TEXT
    return Kind.DATE if isinstance(value, dt.date) else Kind.TEXT


def common_kind(found: set[Kind]) -> Kind:
    """Return the kind of a column whose values have these kinds; text where they do not fit together."""
    if len(found) == 1:
        return next(iter(found))
    if found == {Kind.INTEGER, Kind.NUMBER}:
        return Kind.NUMBER
    return Kind.MOMENT if found == {Kind.DATE, Kind.MOMENT} else Kind.TEXT


def parse_value(text: str, kind: Kind) -> Cell:
    """Return the value that `render_value` wrote as text; the text itself in a column of text, None for an empty one.

    Raises `ValueError` for a text that is no such value.
    """
    if not text:
        return None
    if kind is Kind.INTEGER:
        return int(text)
    if kind is Kind.NUMBER:
        return float(text)
    if kind is Kind.BOOLEAN:
        return text == "TRUE"
    if kind is Kind.DATE:
        return dt.date.fromisoformat(text)
    return dt.datetime.fromisoformat(text) if kind is Kind.MOMENT else text


def as_kind(value: object, kind: Kind) -> Cell:
    """Return a value as its column holds it; in a column of text everything becomes text."""
    if value is None:
        return None
    if kind in TEXT_KINDS:
        return render_value(value)
    if kind is Kind.INTEGER and isinstance(value, float):
        return int(value)
    if kind is Kind.NUMBER and isinstance(value, int):
        return float(value)
    if kind is Kind.MOMENT and not isinstance(value, dt.datetime) and isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    return cast("Cell", value)
