"""The answers of several models to some photos as an Excel workbook: what is right is green, by a rule.

A sheet for each column: a photo a row, the true label, and for each model its answer and confidence. Green is
a formula that compares an answer with the true label, so it stays right when someone corrects either.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import xlsxwriter

from hangtag.evaluation.sample import SamplePhoto
from hangtag.evaluation.workbook_sheet import A4, AnswerSheet, Styles, plain
from hangtag.tables.tables import whole_file

_LONGEST_SHEET_NAME: Final = 31
_NOTE_WIDTH: Final = 90
_LINE_HEIGHT: Final = 15
_RESERVED: Final = "history"
"""Excel keeps this sheet for itself."""
_FORBIDDEN_SIGNS: Final = "[]:*?/\\'"


def write_workbook(
    photos: Sequence[SamplePhoto], columns: Mapping[str, Sequence[str]], notes: Sequence[str], path: Path
) -> None:
    """Write the workbook, whole or not at all.

    `columns` names the models that answer each column; `notes` are the sentences of the last sheet. Raises
    `CatalogueError` when the file cannot be written.
    """
    with whole_file(path) as temporary, temporary.open("wb") as file:
        book = xlsxwriter.Workbook(file, {"in_memory": True})
        styles = Styles.of(book)
        names = _sheet_names(columns)
        for column, models in columns.items():
            AnswerSheet(book.add_worksheet(names[column]), column, models, photos, styles).write()
        _write_notes(book.add_worksheet(_free_sheet_name("about", names.values())), notes, styles)
        book.close()


def _write_notes(sheet: Any, notes: Sequence[str], styles: Styles) -> None:  # noqa: ANN401 - xlsxwriter has no types
    sheet.set_column(0, 0, _NOTE_WIDTH)
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.write_string(0, 0, "About this workbook", styles.title)
    for row, note in enumerate(notes, start=1):
        lines = 1 + len(note) // (
            _NOTE_WIDTH - 10
        )  # not every program finds the height of a wrapped text itself
        sheet.set_row(row, lines * _LINE_HEIGHT)
        sheet.write_string(row, 0, plain(note), styles.note)


def _sheet_names(columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for column in columns:
        names[column] = _free_sheet_name(column, names.values())
    return names


def _free_sheet_name(wanted: str, taken: Iterable[str]) -> str:
    """Return a name that Excel allows and no other sheet has, whatever the case of its letters."""
    signs = (sign if sign.isprintable() and sign not in _FORBIDDEN_SIGNS else "-" for sign in wanted)
    allowed = "".join(signs)[:_LONGEST_SHEET_NAME] or "sheet"
    used = {_RESERVED, *(name.lower() for name in taken)}
    name, number = allowed, 2
    while name.lower() in used:
        ending = f" {number}"
        name, number = allowed[: _LONGEST_SHEET_NAME - len(ending)] + ending, number + 1
    return name
