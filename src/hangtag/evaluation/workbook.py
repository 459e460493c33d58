"""The predictions of several models for some photos as an Excel workbook, with right ones in green.

There is a sheet for each column, with a row per photo: the true label, and each model's label and confidence. Green is
a conditional format that compares the label with the true one, so it stays right if someone corrects either.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import xlsxwriter
from PIL import Image
from xlsxwriter.utility import xl_col_to_name

from hangtag.evaluation.answers import Answer, SamplePhoto
from hangtag.tables.tables import whole_file

HEADINGS: Final = ("photo", "name", "from", "true label")
_PHOTO, _NAME, _ORIGIN, _TRUTH = range(len(HEADINGS))
_FIRST_MODEL: Final = len(HEADINGS)

_WIDTHS: Final = (11, 20, 12, 24)
_ANSWER_WIDTH: Final = 22
_CONFIDENCE_WIDTH: Final = 13
_PHOTO_CELL: Final = (82, 90)
"""The size of a photo's cell in pixels; its width is that of 11 characters."""
_THUMBNAIL: Final = (60, 80)
_POINTS_A_PIXEL: Final = 0.75
A4: Final = 9

_LONGEST_TEXT: Final = 32_767
_GREEN: Final = {"bg_color": "#CFE8CF", "font_color": "#1E4D22"}
_INK: Final = "#24221E"
_FADED: Final = "#6F6A60"
_RULE: Final = "#D9D4C8"
_AS_TEXT: Final = {"num_format": "@", "font_color": _INK}
_IN_A_ROW: Final = {"valign": "vcenter", "bottom": 1, "bottom_color": _RULE, "indent": 1}


@dataclass(frozen=True, slots=True)
class Styles:
    """The formats of one workbook; `right` is the conditional format of right labels."""

    title: Any
    heading: Any
    text: Any
    truth: Any
    reason: Any
    confidence: Any
    summary: Any
    count: Any
    share: Any
    note: Any
    right: Any

    @classmethod
    def of(cls, book: Any) -> "Styles":  # noqa: ANN401 - xlsxwriter has no types
        """Add the formats to a workbook."""
        text = {**_AS_TEXT, **_IN_A_ROW}
        number = {"font_color": _INK, "indent": 1}
        return cls(
            title=book.add_format({**_AS_TEXT, "bold": True, "font_size": 14}),
            heading=book.add_format(
                {**_AS_TEXT, "bold": True, "bottom": 2, "valign": "vcenter", "indent": 1}
            ),
            text=book.add_format(text),
            truth=book.add_format({**text, "bold": True}),
            reason=book.add_format({**text, "italic": True, "font_color": _FADED, "text_wrap": True}),
            confidence=book.add_format(
                {**_IN_A_ROW, "font_color": _FADED, "num_format": "0.0%", "align": "left"}
            ),
            summary=book.add_format({**_AS_TEXT, "font_color": _FADED, "indent": 1}),
            count=book.add_format({**number, "num_format": "0", "align": "left", "bold": True}),
            share=book.add_format({**number, "num_format": "0.0%", "align": "left"}),
            note=book.add_format({**_AS_TEXT, "text_wrap": True, "valign": "top"}),
            right=book.add_format(_GREEN),
        )


def plain(text: str) -> str:
    """Return a text that a cell can hold: invalid Unicode is escaped, and long text is cut."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:_LONGEST_TEXT]


@dataclass(slots=True)
class AnswerSheet:
    """The sheet of one column: a title, the number of right labels by origin, the header, and a row per photo."""

    sheet: Any
    column: str
    models: Sequence[str]
    photos: Sequence[SamplePhoto]
    styles: Styles
    origins: list[str] = field(init=False)
    header_row: int = field(init=False)

    def __post_init__(self) -> None:
        self.origins = list(dict.fromkeys(photo.origin for photo in self.photos))
        # Rows count from 0: the title, the counts for each origin and for all, an empty row, the header.
        self.header_row = 2 + len(self._summaries())

    def write(self) -> None:
        """Fill the sheet."""
        self._write_top()
        for row, photo in enumerate(self.photos, start=self.header_row + 1):
            self._write_photo(row, photo)
        self._write_rules()
        self._set_up()

    def _summaries(self) -> list[str | None]:
        """Return the origins that have their own row in the summary; None stands for all of them."""
        return [*self.origins, None] if len(self.origins) > 1 else [None]

    def _write_top(self) -> None:
        self.sheet.write_string(0, 0, plain(f"{self.column}: what each model answered"), self.styles.title)
        for row, origin in enumerate(self._summaries(), start=1):
            self._write_summary(row, origin)
        for position, name in enumerate(HEADINGS):
            self.sheet.write_string(self.header_row, position, name, self.styles.heading)
        for position, model in self._positions():
            self.sheet.write_string(self.header_row, position, plain(model), self.styles.heading)
            self.sheet.write_string(self.header_row, position + 1, "confidence", self.styles.heading)

    def _write_summary(self, row: int, origin: str | None) -> None:
        """Write the counts as formulas, with their results, for programs that do not calculate."""
        photos = [photo for photo in self.photos if origin in {None, photo.origin}]
        labelled = [photo for photo in photos if photo.truth.get(self.column)]
        self.sheet.write_string(row, _ORIGIN, "all" if origin is None else plain(origin), self.styles.summary)
        truth = self._range(_TRUTH)
        counted = [f'{truth}<>""']
        if origin is not None:
            counted.append(f"EXACT({self._range(_ORIGIN)},${xl_col_to_name(_ORIGIN)}${row + 1})")
        support = _count(counted)
        self.sheet.write_formula(
            row, _TRUTH, f'="right of "&{support}', self.styles.summary, f"right of {len(labelled)}"
        )
        for position, model in self._positions():
            hits = sum(
                photo.answers[model][self.column].label == photo.truth[self.column] for photo in labelled
            )
            right = f"={_count([*counted, f'EXACT({self._range(position)},{truth})'])}"
            self.sheet.write_formula(row, position, right, self.styles.count, hits)
            share = f'=IF({support}=0,"",{xl_col_to_name(position)}{row + 1}/{support})'
            value = hits / len(labelled) if labelled else ""
            self.sheet.write_formula(row, position + 1, share, self.styles.share, value)

    def _write_photo(self, row: int, photo: SamplePhoto) -> None:
        self.sheet.set_row(row, _PHOTO_CELL[1] * _POINTS_A_PIXEL)
        self.sheet.write_blank(row, _PHOTO, None, self.styles.text)
        if photo.thumbnail is not None:
            self.sheet.insert_image(row, _PHOTO, "photo.jpg", _image_options(photo, photo.thumbnail))
        self.sheet.write_string(row, _NAME, plain(photo.name), self.styles.text)
        self.sheet.write_string(row, _ORIGIN, plain(photo.origin), self.styles.text)
        self.sheet.write_string(row, _TRUTH, plain(photo.truth.get(self.column) or ""), self.styles.truth)
        for position, model in self._positions():
            self._write_answer(row, position, photo.answers[model][self.column])

    def _write_answer(self, row: int, position: int, answer: Answer) -> None:
        if answer.label is not None and answer.confidence is not None:
            self.sheet.write_string(row, position, plain(answer.label), self.styles.text)
            self.sheet.write_number(row, position + 1, answer.confidence, self.styles.confidence)
        else:
            why = "" if answer.reason is None else f"no answer: {answer.reason.explanation}"
            self.sheet.write_string(row, position, why, self.styles.reason)
            self.sheet.write_blank(row, position + 1, None, self.styles.text)

    def _write_rules(self) -> None:
        """Make a label green if it equals the true label."""
        first = self.header_row + 1
        truth = f"${xl_col_to_name(_TRUTH)}{first + 1}"
        for position, _ in self._positions():
            answer = f"{xl_col_to_name(position)}{first + 1}"
            rule = {
                "type": "formula",
                "criteria": f'=AND({truth}<>"",EXACT({answer},{truth}))',
                "format": self.styles.right,
            }
            self.sheet.conditional_format(first, position, self._last_row, position, rule)

    def _set_up(self) -> None:
        """Set widths, frozen panes, filters, and print options."""
        for position, width in enumerate(_WIDTHS):
            self.sheet.set_column(position, position, width)
        for position, _ in self._positions():
            self.sheet.set_column(position, position, _ANSWER_WIDTH)
            self.sheet.set_column(position + 1, position + 1, _CONFIDENCE_WIDTH)
        self.sheet.freeze_panes(self.header_row + 1, _ORIGIN)
        last_column = _FIRST_MODEL + 2 * len(self.models) - 1
        self.sheet.autofilter(self.header_row, 0, self._last_row, last_column)
        self.sheet.hide_gridlines(2)
        self.sheet.set_landscape()
        self.sheet.set_paper(A4)
        self.sheet.fit_to_pages(1, 0)
        self.sheet.repeat_rows(self.header_row)

    def _positions(self) -> list[tuple[int, str]]:
        """Return the columns of each model's labels. The confidences are in the next column."""
        return [(_FIRST_MODEL + 2 * number, model) for number, model in enumerate(self.models)]

    def _range(self, position: int) -> str:
        """Return the cells of all photos in a column, in formula notation, where rows count from 1."""
        name = xl_col_to_name(position)
        return f"${name}${self.header_row + 2}:${name}${self._last_row + 1}"

    @property
    def _last_row(self) -> int:
        """The last photo's row, or the empty row if there are no photos."""
        return self.header_row + max(1, len(self.photos))


def _image_options(photo: SamplePhoto, thumbnail: bytes) -> dict[str, Any]:
    """Return options that centre a thumbnail in its cell and move it when rows are sorted or filtered."""
    with Image.open(io.BytesIO(thumbnail)) as image:
        scale = min(_THUMBNAIL[0] / image.width, _THUMBNAIL[1] / image.height)
        width, height = image.width * scale, image.height * scale
    return {
        "image_data": io.BytesIO(thumbnail),
        "x_scale": scale,
        "y_scale": scale,
        "x_offset": (_PHOTO_CELL[0] - width) / 2,
        "y_offset": (_PHOTO_CELL[1] - height) / 2,
        "object_position": 1,
        "description": plain(photo.name),
    }


def _count(conditions: Sequence[str]) -> str:
    """Return the formula that counts the photos for which all conditions hold."""
    return f"SUMPRODUCT({'*'.join(f'({condition})' for condition in conditions)}*1)"


_LONGEST_SHEET_NAME: Final = 31
_NOTE_WIDTH: Final = 90
_LINE_HEIGHT: Final = 15
_RESERVED: Final = "history"
"""The sheet name that Excel reserves."""
_FORBIDDEN_SIGNS: Final = "[]:*?/\\'"


def write_workbook(
    photos: Sequence[SamplePhoto], columns: Mapping[str, Sequence[str]], notes: Sequence[str], path: Path
) -> None:
    """Write the workbook, whole or not at all.

    `columns` lists the models that predict each column; `notes` are the sentences of the last sheet. Raises
    `CatalogueError` if the file cannot be written.
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
        lines = 1 + len(note) // (_NOTE_WIDTH - 10)  # some programs do not compute the height of wrapped text
        sheet.set_row(row, lines * _LINE_HEIGHT)
        sheet.write_string(row, 0, plain(note), styles.note)


def _sheet_names(columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for column in columns:
        names[column] = _free_sheet_name(column, names.values())
    return names


def _free_sheet_name(wanted: str, taken: Iterable[str]) -> str:
    """Return a name that Excel allows and no other sheet has, ignoring case."""
    signs = (sign if sign.isprintable() and sign not in _FORBIDDEN_SIGNS else "-" for sign in wanted)
    allowed = "".join(signs)[:_LONGEST_SHEET_NAME] or "sheet"
    used = {_RESERVED, *(name.lower() for name in taken)}
    name, number = allowed, 2
    while name.lower() in used:
        ending = f" {number}"
        name, number = allowed[: _LONGEST_SHEET_NAME - len(ending)] + ending, number + 1
    return name
