"""The tables uploaded with photos: parsed in a separate process, stored unchanged, with their rows in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from hangtag.domain.errors import InvalidField, InvalidFieldsError, TableError
from hangtag.store.store import Change, Store, iter_parts
from hangtag.store.tables import BatchRow, SheetRow
from hangtag.store.throttle import Throttle
from hangtag.tables.cells import Column, Kind
from hangtag.tables.matching import has_photo_ending
from hangtag.tables.reading import iter_padded_rows, open_table
from hangtag.tables.sandbox import SandboxedTable, TableSize, read_in_sandbox

MOST: Final = TableSize(columns=500, rows=200_000, cells=2_000_000)
MAX_CELL_CHARACTERS: Final = 32_767
"""The length limit of an Excel cell. Longer text could not be exported."""

_ROWS_AT_A_TIME: Final = 2000
_MOST_TEXT_BYTES: Final = 1 << 18
_TEXT: Final = (".csv", ".tsv")
_PACKED: Final = (b"PK", b"\x1f\x8b", b"PAR1")


@dataclass(frozen=True, slots=True)
class SheetFile:
    """An uploaded table: its name, the hash of its content, and its sheets (empty if it is not a workbook)."""

    name: str
    sha256: str
    sheets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredSheet:
    """The tables of a batch, which of their sheets is used, and how its columns are interpreted.

    `mapping` is a `sheets.ColumnMapping`, and `is_confirmed` says whether a person has checked it.
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
        """The unique names of the sheets of all files."""
        return [_label(file, sheet) for file in self.files for sheet in (file.sheets or (None,))]

    @property
    def chosen(self) -> str:
        """The name of the sheet that is used."""
        return _label(self.files[self.file], self.sheet)

    def find(self, name: str) -> tuple[int, str | None]:
        """Return the file and sheet with a name from `names`. Raises `InvalidFieldsError`."""
        for position, file in enumerate(self.files):
            for sheet in file.sheets or (None,):
                if _label(file, sheet) == name:
                    return position, sheet
        raise InvalidFieldsError(InvalidField("sheet", f"there is no sheet {name!r}", tuple(self.names)))

    def to_json(self) -> dict[str, Any]:
        """Return the sheet as stored."""
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
        """Build from the result of `to_json`."""
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
    """A sheet with its rows: the line number of each, and a text for each column."""

    file: SheetFile
    sheet: str | None
    columns: tuple[Column, ...]
    rows: list[tuple[int, list[str]]]


def parse_sheet(path: Path, file: SheetFile, sheet: str | None = None) -> ParsedSheet:
    """Read a sheet of a file at a path. Writes a file next to it.

    Raises `InvalidFieldsError` if it is not a table, or has too many rows or columns.
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
    """Return the columns of a table. A first line that names a photo is not a header, and becomes the first row."""
    if not any(has_photo_ending(column.name) for column in columns):
        return columns
    rows.insert(0, (1, [column.name for column in columns]))
    return tuple(Column(f"column {place}", column.kind) for place, column in enumerate(columns, start=1))


def parse_stored(store: Store, file: SheetFile, sheet: str | None) -> ParsedSheet:
    """Read a sheet of a stored file. Raises as `parse_sheet`."""
    with store.folder.receiving() as folder:
        copy = folder / "table"
        copy.write_bytes(store.folder.path(file.sha256).read_bytes())
        return parse_sheet(copy, file, sheet)


def read_sheet(connection: Connection, batch: int) -> StoredSheet | None:
    """Return the sheet of a batch; None if it has none."""
    values = connection.execute(select(BatchRow.sheet).where(BatchRow.number == batch)).scalar_one()
    return None if values is None else StoredSheet.from_json(values)


def write_sheet(connection: Connection, batch: int, sheet: StoredSheet) -> None:
    """Store the description of a batch's sheet."""
    connection.execute(update(BatchRow).where(BatchRow.number == batch).values(sheet=sheet.to_json()))


def read_rows(connection: Connection, batch: int) -> list[tuple[int, list[str]]]:
    """Return the rows of a batch's sheet in order: the line number, and the cells as text."""
    statement = (
        select(SheetRow.line, SheetRow.cells).where(SheetRow.batch == batch).order_by(SheetRow.position)
    )
    return [(line, cells) for line, cells in connection.execute(statement)]


def use_sheet(change: Change, files: Sequence[SheetFile], parsed: ParsedSheet) -> StoredSheet:
    """Store the rows of a sheet as those of the batch. Return the sheet's description."""
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
    """Return a table that is short plain text and needs no separate process; else None."""
    with path.open("rb") as file:
        is_text = name.lower().endswith(_TEXT) and not file.read(4).startswith(_PACKED)
    if (
        not is_text or path.stat().st_size > _MOST_TEXT_BYTES
    ):  # reading more would hold Python's lock for too long
        return None
    table = open_table(path, name)
    return SandboxedTable(table.columns, MOST.iter_within(len(table.columns), iter_padded_rows(table)))


def _read_rows(table: SandboxedTable) -> list[tuple[int, list[str]]]:
    rows, throttle = [], Throttle()
    for line, cells in table.rows:
        rows.append((line, [cell.replace("\0", "")[:MAX_CELL_CHARACTERS] for cell in cells]))
        throttle.pause()
    return rows


def _label(file: SheetFile, sheet: str | None) -> str:
    return file.name if sheet is None or len(file.sheets) == 1 else f"{file.name} › {sheet}"
