"""What a given table has: columns with a kind, and rows that are read as they are needed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from hangtag.domain.errors import UsageError
from hangtag.labelling.layout import Kind


class GivenColumn(NamedTuple):
    """A column of a given table: its name, which no other column of the table has, and what stands in it."""

    name: str
    kind: Kind


class GivenRow(NamedTuple):
    """A row: its number, by which a person finds it again, and a value for each column."""

    number: int
    values: tuple[object, ...]


class GivenRows(Protocol):
    """The rows of a table that was given with paths or addresses of photos."""

    @property
    def columns(self) -> Sequence[GivenColumn]:
        """The columns in their order."""
        ...

    def iter_rows(self) -> Iterator[GivenRow]:
        """Iterate the rows from the first one; raises `UsageError` where the table cannot be read on."""
        ...

    def count(self) -> int:
        """Count the rows."""
        ...


def name_columns(header: Iterable[str]) -> tuple[str, ...]:
    """Return names for columns that differ from each other: `name`, `name (2)`; `column 3` where there is none."""
    names: list[str] = []
    for position, written in enumerate(header, start=1):
        name = first = written.strip() or f"column {position}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{first} ({copies})"
        names.append(name)
    return tuple(names)


def broken_table(path: str, after: int | None, detail: object) -> UsageError:
    """Return the error of a table that cannot be read, or not beyond a row."""
    where = "" if after is None else f" beyond row {after:,}"
    return UsageError(f"the table cannot be read{where} ({detail})", where=path)
