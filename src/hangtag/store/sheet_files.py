"""The tables that come with photos: read in a process of their own, kept as they came, rows in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from hangtag.domain.errors import InvalidField, InvalidFieldsError, TableError
from hangtag.store.rests import Rests
from hangtag.store.store import Change, Store, iter_parts
from hangtag.store.tables import BatchRow, SheetRow
from hangtag.tables.cells import Column, Kind
from hangtag.tables.matching import has_photo_ending
from hangtag.tables.reading import iter_padded_rows, open_table
from hangtag.tables.sandbox import SandboxedTable, TableSize, read_in_sandbox

MOST: Final = TableSize(columns=500, rows=200_000, cells=2_000_000)
MAX_CELL_CHARACTERS: Final = 32_767
"""What a cell of Excel holds: more could not be given back."""

_ROWS_AT_A_TIME: Final = 2000
_MOST_TEXT_BYTES: Final = 1 << 18
_TEXT: Final = (".csv", ".tsv")
_PACKED: Final = (b"PK", b"\x1f\x8b", b"PAR1")


@dataclass(frozen=True, slots=True)
class SheetFile:
    """A table as it came: its name, the hash of its content, and its sheets (none: it is no workbook)."""

    name: str
    sha256: str
    sheets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredSheet:
    """The tables of a batch, which of their sheets is used, and how its columns are understood.

    `mapping` is what `sheets.Mapping` says, and `is_confirmed` whether a person has looked at it.
    """

    files: tuple[SheetFile, ...]
    file: int
    sheet: str | None
    columns: tuple[Column, ...]
    rows: int
    mapping: dict[str, Any]
    is_confirmed: bool = False

    @property
    def names(self) -> list[str]:
        """What the sheets of all files are called, each once."""
        return [_label(file, sheet) for file in self.files for sheet in (file.sheets or (None,))]

    @property
    def chosen(self) -> str:
        """What the sheet that is used is called."""
        return _label(self.files[self.file], self.sheet)

    def find(self, name: str) -> tuple[int, str | None]:
        """Return the file and sheet that `names` calls so; raises `InvalidFieldsError`."""
        for position, file in enumerate(self.files):
            for sheet in file.sheets or (None,):
                if _label(file, sheet) == name:
                    return position, sheet
        raise InvalidFieldsError(InvalidField("sheet", f"there is no sheet {name!r}", tuple(self.names)))

    def to_json(self) -> dict[str, Any]:
        """Return the sheet as it is stored."""
        return {
            "files": [[file.name, file.sha256, list(file.sheets)] for file in self.files],
            "file": self.file,
            "sheet": self.sheet,
            "columns": [[column.name, column.kind.name] for column in self.columns],
            "rows": self.rows,
            "mapping": self.mapping,
            "is_confirmed": self.is_confirmed,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "StoredSheet":
        """Return the sheet that `to_json` wrote."""
        return cls(
            tuple(SheetFile(name, sha256, tuple(sheets)) for name, sha256, sheets in values["files"]),
            values["file"],
            values["sheet"],
            tuple(Column(name, Kind[kind]) for name, kind in values["columns"]),
            values["rows"],
            values["mapping"],
            values["is_confirmed"],
        )


@dataclass(frozen=True, slots=True)
class ParsedSheet:
    """A sheet with its rows: each the number of its line, and a text for each column."""

    file: SheetFile
    sheet: str | None
    columns: tuple[Column, ...]
    rows: list[tuple[int, list[str]]]


def parse_sheet(path: Path, file: SheetFile, sheet: str | None = None) -> ParsedSheet:
    """Read a sheet of a file that lies at a path, beside which a file is written.

    Raises `InvalidFieldsError` for what is not a table, and for one with too many rows or columns.
    """
    try:
        table = _read_text(path, file.name) or read_in_sandbox(path, file.name, MOST, sheet)
        rows = _read_rows(table)
        columns = _find_header(table.columns, rows)
    except TableError as error:
        message = f"the table {file.name} cannot be read: {error.problem}"
        raise InvalidFieldsError(InvalidField("files", message)) from None
    chosen = sheet or (table.sheets[0] if table.sheets else None)
    found = SheetFile(file.name, file.sha256, table.sheets)
    return ParsedSheet(found, chosen, columns, rows)


def _find_header(columns: tuple[Column, ...], rows: list[tuple[int, list[str]]]) -> tuple[Column, ...]:
    """Return the columns of a table. A first line that names a photo is no header, and is put before the rows."""
    if not any(has_photo_ending(column.name) for column in columns):
        return columns
    rows.insert(0, (1, [column.name for column in columns]))
    return tuple(Column(f"column {place}", column.kind) for place, column in enumerate(columns, start=1))


def parse_stored(store: Store, file: SheetFile, sheet: str | None) -> ParsedSheet:
    """Read a sheet of a file that came earlier; raises as `parse_sheet`."""
    with store.folder.receiving() as folder:
        copy = folder / "table"
        copy.write_bytes(store.folder.path(file.sha256).read_bytes())
        return parse_sheet(copy, file, sheet)


def read_sheet(connection: Connection, batch: int) -> StoredSheet | None:
    """Return the sheet of a batch, None if none came."""
    values = connection.execute(select(BatchRow.sheet).where(BatchRow.number == batch)).scalar_one()
    return None if values is None else StoredSheet.from_json(values)


def write_sheet(connection: Connection, batch: int, sheet: StoredSheet) -> None:
    """Store what is known of a batch's sheet."""
    connection.execute(update(BatchRow).where(BatchRow.number == batch).values(sheet=sheet.to_json()))


def read_rows(connection: Connection, batch: int) -> list[tuple[int, list[str]]]:
    """Return the rows of a batch's sheet in their order: the number of the line, and the cells as text."""
    statement = (
        select(SheetRow.line, SheetRow.cells).where(SheetRow.batch == batch).order_by(SheetRow.position)
    )
    return [(line, cells) for line, cells in connection.execute(statement)]


def use_sheet(change: Change, files: Sequence[SheetFile], parsed: ParsedSheet) -> StoredSheet:
    """Put the rows of a sheet into the database as those of the batch, and return what is known of it."""
    change.connection.execute(delete(SheetRow).where(SheetRow.batch == change.batch))
    for part in iter_parts(list(enumerate(parsed.rows)), _ROWS_AT_A_TIME):
        rows = [
            {"batch": change.batch, "position": position, "line": line, "cells": cells}
            for position, (line, cells) in part
        ]
        change.connection.execute(insert(SheetRow), rows)
    place = [file.sha256 for file in files].index(parsed.file.sha256)
    return StoredSheet(tuple(files), place, parsed.sheet, parsed.columns, len(parsed.rows), {})


def _read_text(path: Path, name: str) -> SandboxedTable | None:
    """Return a table that is plain text and short, which needs no process of its own; else None."""
    with path.open("rb") as file:
        is_text = name.lower().endswith(_TEXT) and not file.read(4).startswith(_PACKED)
    if (
        not is_text or path.stat().st_size > _MOST_TEXT_BYTES
    ):  # reading more takes Python's lock from the answers
        return None
    table = open_table(path, name)
    return SandboxedTable(table.columns, MOST.iter_within(len(table.columns), iter_padded_rows(table)))


def _read_rows(table: SandboxedTable) -> list[tuple[int, list[str]]]:
    rows, rests = [], Rests()
    for line, cells in table.rows:
        rows.append((line, [cell.replace("\0", "")[:MAX_CELL_CHARACTERS] for cell in cells]))
        rests.take()
    return rows


def _label(file: SheetFile, sheet: str | None) -> str:
    return file.name if sheet is None or len(file.sheets) == 1 else f"{file.name} › {sheet}"
