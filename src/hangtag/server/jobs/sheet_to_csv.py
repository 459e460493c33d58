"""Writes the first sheet of a workbook as CSV: `python sheet_to_csv.py BOOK CSV`, in a process of its own.

Memory, time and output are limited, since a workbook can be small and claim enormous sheets.
"""

import csv
import resource
import sys
from pathlib import Path
from typing import Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum, load_workbook

from hangtag.domain.text import render_cell

_MIB: Final = 1024 * 1024
_LIMITS: Final = {
    resource.RLIMIT_AS: 2048 * _MIB,
    resource.RLIMIT_CPU: 60,
    resource.RLIMIT_FSIZE: 128 * _MIB,
    resource.RLIMIT_CORE: 0,
}


def main(source: Path, target: Path) -> None:
    """Write the first visible sheet of `source` that holds anything; exits with a message if it cannot be read."""
    for kind, limit in _LIMITS.items():
        resource.setrlimit(kind, (limit, limit))
    try:
        sheet = _find_sheet(load_workbook(source))
    except CalamineError as error:
        sys.exit(f"it is not a workbook, or is damaged ({error})")
    if sheet is None:
        sys.exit("it is empty")
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for row in sheet.iter_rows():
            writer.writerow([render_cell(value) for value in row])


def _find_sheet(workbook: CalamineWorkbook) -> CalamineSheet | None:
    for position, metadata in enumerate(workbook.sheets_metadata):
        if metadata.visible == SheetVisibleEnum.Visible:
            sheet = workbook.get_sheet_by_index(position)
            if sheet.height:
                return sheet
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
