"""Labels as an Excel workbook: text in text cells, confidences as numbers, a header that stays in view."""

import datetime as dt
import math
import tempfile
from typing import Any, BinaryIO, Final

import xlsxwriter

from hangtag.labelling.csv_table import render_candidates
from hangtag.labelling.layout import GIVEN_KINDS, PATH, Cell, Kind, Layout, Rows, join_names, render_given

ROWS_A_SHEET: Final = 1_048_576
"""What a sheet of Excel holds, with its header; a longer table goes on in the next sheet."""

_WIDTHS: Final = {Kind.CONFIDENCE: 11, Kind.CANDIDATES: 48}
_WIDTH: Final = 16
_PATH_WIDTH: Final = 40
_FIRST_YEAR: Final = 1900
_LARGEST_EXACT: Final = 10**15
"""Excel keeps 15 digits of a number; what has more stays whole as text."""

_RENDERED: Final = {Kind.CANDIDATES: render_candidates, Kind.NAMES: join_names}


class XlsxTable:
    """Writes rows as a workbook. Text cells are typed as text: no formula can start in one, even edited."""

    def __init__(self, file: BinaryIO, layout: Layout, rows_a_sheet: int = ROWS_A_SHEET) -> None:
        self._kinds = layout.kinds
        self._rows_a_sheet = rows_a_sheet
        # Rows lie in a file until the workbook is put together, and not in memory.
        self._folder = tempfile.TemporaryDirectory(prefix="hangtag-")
        options = {"constant_memory": True, "tmpdir": self._folder.name}
        self._workbook = xlsxwriter.Workbook(file, options)
        self._header = self._workbook.add_format({"bold": True, "num_format": "@", "bottom": 1})
        self._text = self._workbook.add_format({"num_format": "@"})
        self._confidence = self._workbook.add_format({"num_format": "0.0000"})
        self._date = self._workbook.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = self._workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._add_sheet()

    def write(self, rows: Rows) -> None:
        """Append rows."""
        for cells in zip(*(rows[name] for name in self._kinds), strict=True):
            if self._next_row == self._rows_a_sheet:
                self._add_sheet()
            for position, (cell, kind) in enumerate(zip(cells, self._kinds.values(), strict=True)):
                self._write_cell(position, cell, kind)
            self._next_row += 1

    def finish(self) -> None:
        """Put the workbook together."""
        for sheet in self._workbook.worksheets():
            sheet.autofilter(0, 0, max(1, sheet.dim_rowmax or 0), len(self._kinds) - 1)
        self._workbook.close()
        self._folder.cleanup()

    def discard(self) -> None:
        """Drop the rows; the workbook is never put together."""
        for sheet in self._workbook.worksheets():
            sheet.row_data_fh.close()
        self._folder.cleanup()

    def _write_cell(self, position: int, cell: Cell, kind: Kind) -> None:
        if cell is None:
            return
        if kind is Kind.CONFIDENCE:
            self._sheet.write_number(self._next_row, position, cell, self._confidence)
        elif kind in GIVEN_KINDS and self._write_given(position, cell):
            return
        else:
            text = _RENDERED.get(kind, render_given)(cell)
            self._sheet.write_string(self._next_row, position, text, self._text)

    def _write_given(self, position: int, cell: Cell) -> bool:
        """Write a number, a truth or a date as such, if Excel can hold it; say whether."""
        place = (self._next_row, position, cell)
        if isinstance(cell, bool):
            return not self._sheet.write_boolean(*place)
        if isinstance(cell, dt.date):
            style = self._moment if isinstance(cell, dt.datetime) else self._date
            return cell.year >= _FIRST_YEAR and not self._sheet.write_datetime(*place, style)
        if isinstance(cell, float | int) and math.isfinite(cell) and abs(cell) <= _LARGEST_EXACT:
            return not self._sheet.write_number(*place)
        return False

    def _add_sheet(self) -> None:
        number = len(self._workbook.worksheets()) + 1
        self._sheet: Any = self._workbook.add_worksheet("labels" if number == 1 else f"labels {number}")
        self._sheet.freeze_panes(1, 1)
        for position, (name, kind) in enumerate(self._kinds.items()):
            width = _PATH_WIDTH if name == PATH else _WIDTHS.get(kind, _WIDTH)
            self._sheet.set_column(position, position, max(width, len(name) + 3))
            self._sheet.write_string(0, position, name, self._header)
        self._next_row = 1
