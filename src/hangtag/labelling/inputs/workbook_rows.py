"""The first sheet of a workbook that names photos. A workbook has to be opened whole; Excel ends at a million rows."""

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum, load_workbook

from hangtag.domain.text import render_cell
from hangtag.labelling.inputs.given_rows import GivenColumn, GivenRow, broken_table, name_columns
from hangtag.labelling.layout import Kind

_LARGEST_EXACT: Final = 2.0**53


class WorkbookRows:
    """The rows of the first visible sheet that holds anything; its first row that is not blank is the header.

    A column whose cells are all numbers, dates or booleans keeps them as such; every other one is text.
    """

    def __init__(self, path: str) -> None:
        try:
            sheet = _find_sheet(load_workbook(path))
        except (CalamineError, OSError) as error:
            raise broken_table(path, None, error) from None
        if sheet is None:
            raise broken_table(path, None, "it is empty")
        self._sheet = sheet
        number, header = next(self._iter_cells())
        self._header_row = number
        names = name_columns("" if cell is None else render_cell(cell) for cell in header)
        kinds = self._find_kinds(len(names))
        self.columns = tuple(GivenColumn(name, kind) for name, kind in zip(names, kinds, strict=True))

    def iter_rows(self) -> Iterator[GivenRow]:
        """Iterate the rows; their numbers are those of the sheet."""
        kinds = [column.kind for column in self.columns]
        for number, cells in islice(self._iter_cells(), 1, None):
            yield GivenRow(number, tuple(map(_value, cells, kinds)))

    def count(self) -> int:
        """Count the rows."""
        return sum(1 for _ in self._iter_cells()) - 1

    def _iter_cells(self) -> Iterator[tuple[int, Sequence[object]]]:
        first = self._sheet.start[0] + 1 if self._sheet.start else 1
        for number, cells in enumerate(self._sheet.iter_rows(), start=first):
            row = [None if cell == "" else cell for cell in cells]
            if any(cell is not None for cell in row):
                yield number, row

    def _find_kinds(self, width: int) -> list[Kind]:
        kinds: list[set[Kind]] = [set() for _ in range(width)]
        for _, cells in islice(self._iter_cells(), 1, None):
            for found, cell in zip(kinds, cells, strict=True):
                if cell is not None:
                    found.add(_kind_of(cell))
        return [_common_kind(found) for found in kinds]


def _find_sheet(workbook: CalamineWorkbook) -> CalamineSheet | None:
    for position, metadata in enumerate(workbook.sheets_metadata):
        if metadata.visible == SheetVisibleEnum.Visible:
            sheet = workbook.get_sheet_by_index(position)
            if sheet.height:
                return sheet
    return None


def _kind_of(cell: object) -> Kind:
    if isinstance(cell, bool):
        return Kind.BOOLEAN
    if isinstance(cell, int) or (
        isinstance(cell, float) and cell.is_integer() and abs(cell) < _LARGEST_EXACT
    ):
        return Kind.INTEGER
    if isinstance(cell, float):
        return Kind.NUMBER
    if isinstance(cell, dt.datetime):
        return Kind.MOMENT
    return Kind.DATE if isinstance(cell, dt.date) else Kind.TEXT


def _common_kind(found: set[Kind]) -> Kind:
    if len(found) == 1:
        return next(iter(found))
    if found == {Kind.INTEGER, Kind.NUMBER}:
        return Kind.NUMBER
    return Kind.MOMENT if found == {Kind.DATE, Kind.MOMENT} else Kind.TEXT


def _value(cell: object, kind: Kind) -> object:
    if cell is None:
        return None
    if kind is Kind.TEXT:
        return render_cell(cell)
    if kind is Kind.INTEGER and isinstance(cell, float):
        return int(cell)
    if kind is Kind.MOMENT and not isinstance(cell, dt.datetime) and isinstance(cell, dt.date):
        return dt.datetime.combine(cell, dt.time())
    return cell
