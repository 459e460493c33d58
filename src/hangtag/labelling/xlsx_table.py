"""Labels as an Excel workbook: text in text cells, confidences as numbers, a header that stays in view."""

import tempfile
from typing import Any, BinaryIO, Final

import xlsxwriter

from hangtag.labelling.csv_table import render_candidates
from hangtag.labelling.layout import PATH, Cell, Kind, Layout, Rows, join_names

ROWS_A_SHEET: Final = 1_048_576
"""What a sheet of Excel holds, with its header; a longer table goes on in the next sheet."""

_WIDTHS: Final = {Kind.TEXT: 16, Kind.CONFIDENCE: 11, Kind.CANDIDATES: 48, Kind.NAMES: 16}
_PATH_WIDTH: Final = 40
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
        else:
            text = _RENDERED.get(kind, str)(cell)
            self._sheet.write_string(self._next_row, position, text, self._text)

    def _add_sheet(self) -> None:
        number = len(self._workbook.worksheets()) + 1
        self._sheet: Any = self._workbook.add_worksheet("labels" if number == 1 else f"labels {number}")
        self._sheet.freeze_panes(1, 1)
        for position, (name, kind) in enumerate(self._kinds.items()):
            width = _PATH_WIDTH if name == PATH else _WIDTHS[kind]
            self._sheet.set_column(position, position, max(width, len(name) + 3))
            self._sheet.write_string(0, position, name, self._header)
        self._next_row = 1
