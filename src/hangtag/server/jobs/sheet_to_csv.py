"""Writes the first sheet of a workbook as CSV: `python sheet_to_csv.py BOOK CSV`, in a process of its own.

Memory, time and output are limited, since a workbook can be small and claim enormous sheets.
"""

import csv
import resource
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum, load_workbook

_MIB: Final = 1024 * 1024
_LIMITS: Final = {
    resource.RLIMIT_AS: 2048 * _MIB,
    resource.RLIMIT_CPU: 60,
    resource.RLIMIT_FSIZE: 128 * _MIB,
    resource.RLIMIT_CORE: 0,
}

Value = float | str | bool | date | datetime | time | timedelta


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
            writer.writerow([render_value(value) for value in row])


def _find_sheet(workbook: CalamineWorkbook) -> CalamineSheet | None:
    for position, metadata in enumerate(workbook.sheets_metadata):
        if metadata.visible == SheetVisibleEnum.Visible:
            sheet = workbook.get_sheet_by_index(position)
            if sheet.height:
                return sheet
    return None


def render_value(value: Value) -> str:
    """Return a cell's value as text, as Excel shows it in its plainest format."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return str(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
