"""Writing tables as Excel workbooks: typed text, numbers and dates, and a frozen header."""

import datetime as dt
import math
import re
import tempfile
from typing import Any, BinaryIO, Final

import xlsxwriter

from hangtag.tables.cells import TYPED_KINDS, Cell, Kind, render_value
from hangtag.tables.writing import Kinds, join_names, render_candidates

ROWS_PER_SHEET: Final = 1_048_576
"""The largest number of rows in a sheet, including the header. A longer table continues in the next sheet."""

_WIDTHS: Final = {Kind.CONFIDENCE: 11, Kind.CANDIDATES: 48, Kind.PATH: 40}
_WIDTH: Final = 16
_FIRST_DAY: Final = dt.date(1900, 3, 1)  # Excel treats 1900 as a leap year
_LARGEST_EXACT: Final = 10**15
"""Excel keeps 15 digits of a number; longer numbers are written as text."""

_WRITTEN_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]{1,10}))?")
_WRITTEN_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MAX_DIGITS: Final = 15

_RENDERED: Final = {Kind.CANDIDATES: render_candidates, Kind.NAMES: join_names}


class XlsxWriter:
    """Writes rows as a workbook. Text cells are typed as text, so that none becomes a formula, even when edited.

    Numbers and ISO dates in a CSV's text columns become numbers and dates with the digits they were written with.
    Values that Excel would change, such as 007 or 8901234567890123, stay text.
    """

    def __init__(self, file: BinaryIO, kinds: Kinds, rows_per_sheet: int = ROWS_PER_SHEET) -> None:
        self._kinds = kinds
        self._rows_per_sheet = rows_per_sheet
        # Rows are kept in a file, not in memory, until the workbook is assembled.
        self._folder = tempfile.TemporaryDirectory(prefix="hangtag-")
        options = {"constant_memory": True, "tmpdir": self._folder.name}
        self._workbook = xlsxwriter.Workbook(file, options)
        self._header = self._workbook.add_format({"bold": True, "num_format": "@", "bottom": 1})
        self._formats: dict[str, Any] = {}
        self._add_sheet()

    def write(self, rows: dict[str, list[Cell]]) -> None:
        """Append rows."""
        for cells in zip(*(rows[name] for name in self._kinds), strict=True):
            if self._next_row == self._rows_per_sheet:
                self._add_sheet()
            for position, (cell, kind) in enumerate(zip(cells, self._kinds.values(), strict=True)):
                if cell is not None:
                    self._write_cell(position, cell, kind)
            self._next_row += 1

    def finish(self) -> None:
        """Assemble the workbook."""
        for sheet in self._workbook.worksheets():
            sheet.autofilter(0, 0, max(1, sheet.dim_rowmax or 0), len(self._kinds) - 1)
        self._workbook.close()
        self._folder.cleanup()

    def discard(self) -> None:
        """Drop the rows without assembling a workbook."""
        for sheet in self._workbook.worksheets():
            sheet.row_data_fh.close()
        self._folder.cleanup()

    def _write_cell(self, position: int, cell: Cell, kind: Kind) -> None:
        if kind is Kind.CONFIDENCE:
            self._sheet.write_number(self._next_row, position, cell, self._format("0.0000"))
            return
        if kind in TYPED_KINDS and self._write_typed(position, cell):
            return
        if kind is Kind.WRITTEN and isinstance(cell, str) and self._write_written(position, cell):
            return
        text = _RENDERED.get(kind, render_value)(cell)
        self._sheet.write_string(self._next_row, position, text, self._format("@"))

    def _write_typed(self, position: int, cell: Cell) -> bool:
        """Write a number, a boolean or a date with its type if Excel can hold it. Returns whether it was written."""
        place = (self._next_row, position, cell)
        if isinstance(cell, bool):
            return not self._sheet.write_boolean(*place)
        if isinstance(cell, dt.datetime):
            return self._write_date(position, cell, "yyyy-mm-dd hh:mm:ss")
        if isinstance(cell, dt.date):
            return self._write_date(position, cell, "yyyy-mm-dd")
        if isinstance(cell, int) and abs(cell) <= _LARGEST_EXACT:
            return not self._sheet.write_number(*place, self._format("0"))
        if isinstance(cell, float) and math.isfinite(cell) and abs(cell) <= _LARGEST_EXACT:
            return not self._sheet.write_number(*place)
        return False

    def _write_date(self, position: int, cell: dt.date, style: str) -> bool:
        day = cell.date() if isinstance(cell, dt.datetime) else cell
        written = day >= _FIRST_DAY
        return written and not self._sheet.write_datetime(self._next_row, position, cell, self._format(style))

    def _write_written(self, position: int, text: str) -> bool:
        """Write a number or an ISO date given as text, if it will look the same. Returns whether it was written."""
        if (found := _WRITTEN_NUMBER.fullmatch(text)) and sum(map(str.isdigit, text)) <= _MAX_DIGITS:
            decimals = len(found[1] or "")
            style = self._format(f"0.{'0' * decimals}" if decimals else "0")
            return text != "-0" and not self._sheet.write_number(self._next_row, position, float(text), style)
        if _WRITTEN_DATE.fullmatch(text):
            try:
                return self._write_date(position, dt.date.fromisoformat(text), "yyyy-mm-dd")
            except ValueError:
                return False
        return False

    def _format(self, style: str) -> Any:  # noqa: ANN401 - xlsxwriter has no types
        if style not in self._formats:
            self._formats[style] = self._workbook.add_format({"num_format": style})
        return self._formats[style]

    def _add_sheet(self) -> None:
        number = len(self._workbook.worksheets()) + 1
        self._sheet: Any = self._workbook.add_worksheet("labels" if number == 1 else f"labels {number}")
        self._sheet.freeze_panes(1, 1)
        for position, (name, kind) in enumerate(self._kinds.items()):
            width = max(_WIDTHS.get(kind, _WIDTH), len(name) + 3)
            self._sheet.set_column(position, position, width)
            self._sheet.write_string(0, position, name, self._header)
        self._next_row = 1
