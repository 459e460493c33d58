"""Reading the records of CSV and similar files, including quoted cells that span lines. No record is lost."""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from hangtag.domain.errors import TableError
from hangtag.tables.cells import MOST_TITLES, find_header
from hangtag.tables.lines import MAX_LINE_LENGTH, Line
from hangtag.tables.matching import has_photo_ending
from hangtag.tables.values import MISSING, Repair, single_spaced

DELIMITERS: Final = ",;\t|"

MAX_JOINED_LINES: Final = 1000
"""A quote must be closed within this many lines. One that is never closed would otherwise fill the memory."""

_LINES_COMPARED: Final = 20
_STATED: Final = re.compile(r"sep=(.)", re.IGNORECASE)
"""The line `sep=;` that Excel puts first to declare the delimiter."""

_BODY: Final = r'[^"]*+(?:""[^"]*+)*+'
_STAYS_OPEN: Final = re.compile(rf"{_BODY}\Z")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PHOTO_SEPARATORS: Final = ("|", ";", ",", "\n")
"""The separators between several photos in one cell."""

_LINK_FORMULA: Final = re.compile(r"""\s*'?=\s*(?:HYPERLINK|IMAGE)\(\s*"([^"]+)""", re.IGNORECASE)
"""A formula that links to a photo. Spreadsheets export it if they export formulas instead of values."""


class Record(NamedTuple):
    """A record: the number of its first line, its cells, what was repaired, and its original text.

    `is_cut`: the line is longer than `MAX_LINE_LENGTH`, and the text is only its beginning.
    """

    line: int
    cells: list[str]
    repairs: tuple[Repair, ...]
    text: str
    is_cut: bool = False


class Fields(NamedTuple):
    """The cells of a line. `is_open`: a cell begins with a quote that is never closed."""

    cells: list[str]
    repairs: tuple[Repair, ...]
    is_open: bool


class RecordReader:
    """Iterates the records of a delimited table, once; `header` and `delimiter` are known from the start.

    The delimiter is the one that Excel declares in a first line `sep=;`, or else whichever of comma, semicolon, tab
    and bar occurs most often in the header. A cell is quoted if its first and last characters are quotes. Any other
    quote, such as the inch sign in 3.5", is part of the value. So is a quote that is not closed before a line that is
    a row by itself, unless that line closes it and completes a row that lacks cells. If a row has more cells than the
    header, its last cell holds the rest.

    `key` is the position of a column that every row fills, if one is known; it helps to tell a new row from a
    continued quoted cell. `lines` counts all lines read, `blank` those without values, and `joined` the continuation
    lines of earlier records. Raises `TableError` for a table without a header.
    """

    def __init__(self, lines: Iterable[Line], where: object = None, delimiter: str | None = None) -> None:
        self._source = iter(lines)
        self._ahead: deque[Line] = deque()
        self.lines = self.blank = self.joined = 0
        self.key: int | None = None
        self._width: int | None = None
        first = self._next_filled()
        if first is not None and (stated := _STATED.fullmatch(first.text.strip())):
            self.blank += 1
            delimiter = stated[1]
            first = self._next_filled()
        if first is None:
            raise TableError("the table is empty", where=where)
        if len(first.text) > MAX_LINE_LENGTH:
            raise TableError(
                f"line {first.number:,} is longer than {MAX_LINE_LENGTH:,} characters", where=where
            )
        self._splitter = Splitter(DELIMITERS)
        first = self._skip_titles(first)
        text = self._read_record(first).text
        self.delimiter = delimiter or self._choose_delimiter(text)
        self._splitter = Splitter(self.delimiter)
        fields = self._splitter.split_joined(text) if "\n" in text else None
        self.header = (fields or self._splitter.split(text)).cells
        self.width = len(self.header)

    @property
    def width(self) -> int:
        """The largest number of cells in a row."""
        return self._width or 0

    @width.setter
    def width(self, width: int) -> None:
        self._width = width

    def __iter__(self) -> Iterator[Record]:
        while (line := self._next_filled()) is not None:
            if len(line.text) > MAX_LINE_LENGTH:
                yield Record(line.number, [], (), line.text, is_cut=True)
            else:
                yield self._read_record(line)

    def _next_filled(self) -> Line | None:
        blank = ", \t\xa0" if self._width is None else f"{self.delimiter} \t\xa0"
        while (line := self._next_line()) is not None:
            if line.text.strip(blank):
                return line
            self.blank += 1
        return None

    def _skip_titles(self, first: Line) -> Line:
        """Return the line of the header: this one or, if it is a title, one of the next."""
        if len([cell for cell in self._splitter.split(first.text).cells if cell.strip()]) > 1:
            return first
        taken = [first]
        while len(taken) <= MOST_TITLES and (line := self._next_filled()) is not None:
            taken.append(line)
        position = find_header([self._splitter.split(line.text).cells for line in taken])
        self._give_back(taken[position + 1 :])
        self.blank += position
        return taken[position]

    def _next_line(self) -> Line | None:
        line = self._ahead.popleft() if self._ahead else next(self._source, None)
        self.lines += line is not None
        return line

    def _give_back(self, taken: list[Line]) -> None:
        self._ahead.extendleft(reversed(taken))
        self.lines -= len(taken)

    def _read_record(self, line: Line) -> Record:
        fields = self._splitter.split(line.text, self._width)
        lacks_cells = self._width is not None and len(fields.cells) < self._width
        if fields.is_open and (joined := self._join(line, lacks_cells=lacks_cells)) is not None:
            return joined
        repairs = (*fields.repairs, Repair.ENCODING) if line.recoded else fields.repairs
        return Record(line.number, fields.cells, repairs, line.text)

    def _join(self, line: Line, *, lacks_cells: bool) -> Record | None:
        """Read on until an open quote is closed. If it never is, return None and consume no line."""
        taken: list[Line] = []
        length = len(line.text)
        key = self._find_key(line.text)
        while len(taken) < MAX_JOINED_LINES and length < MAX_LINE_LENGTH:
            following = self._next_line()
            if following is None:
                break
            taken.append(following)
            length += len(following.text)
            stays_open = _STAYS_OPEN.match(following.text) is not None
            is_row = self._is_row(following.text, key)
            if is_row and (stays_open or not lacks_cells):
                break
            if stays_open:
                continue
            text = "\n".join(part.text for part in (line, *taken))
            fields = self._splitter.split_joined(text, self._width)
            if fields is None or (is_row and len(fields.cells) != self._width):
                break
            if not fields.is_open:
                self.joined += len(taken)
                repairs = [*fields.repairs, Repair.JOINED_LINES]
                if any(part.recoded for part in (line, *taken)):
                    repairs.append(Repair.ENCODING)
                return Record(line.number, fields.cells, tuple(repairs), text)
        self._give_back(taken)
        return None

    def _find_key(self, text: str) -> str:
        """Return the key of the row that begins with this line, or an empty text if it is not known."""
        cells = self._splitter.split(text, self._width).cells
        return cells[self.key].strip() if self.key is not None and self.key < len(cells) - 1 else ""

    def _is_row(self, text: str, key: str) -> bool:
        """Return whether a line is a row by itself: its key is filled or, if no key is known, it names a photo.

        If the `key` of the row before is a number, the key of a row must be one, too.
        """
        if self._width is None or self.key is None:
            cells = self._splitter.split(text).cells
            return self._width in {None, len(cells)} and any(map(has_photo_ending, cells))
        cells = self._splitter.split(text, self._width).cells
        if len(cells) != self._width or (key.isdigit() and not cells[self.key].strip().isdigit()):
            return False
        return single_spaced(cells[self.key]) not in MISSING

    def _choose_delimiter(self, header: str) -> str:
        counts = {sign: _count_outside_quotes(header, sign) for sign in DELIMITERS}
        likely = [sign for sign in DELIMITERS if counts[sign]]
        if len(likely) < 2:  # noqa: PLR2004 - nothing to compare
            return likely[0] if likely else DELIMITERS[0]
        taken: list[Line] = []
        while len(taken) < _LINES_COMPARED and (line := self._next_line()) is not None:
            taken.append(line)
        self._give_back(taken)

        def fit(sign: str) -> tuple[int, int]:
            same = sum(_count_outside_quotes(line.text, sign) >= counts[sign] for line in taken)
            return same, counts[sign]

        return max(likely, key=fit)


class Splitter:
    """Splits lines at delimiters."""

    def __init__(self, delimiters: str) -> None:
        signs = re.escape(delimiters)
        self._blank = " " if "\t" in delimiters else " \t"
        opening = rf'[{self._blank}]*"({_BODY})'
        self._single = delimiters if len(delimiters) == 1 else None
        self._delimiters = delimiters
        self._delimiter = re.compile(f"[{signs}]")
        self._quoted = re.compile(rf'{opening}"[{self._blank}]*([{signs}]|\Z)')
        self._quoted_to_the_end = re.compile(rf'{opening}"[{self._blank}]*\Z')
        self._open = re.compile(rf"{opening}\Z")

    def split(self, text: str, width: int | None = None) -> Fields:
        """Split one line into at most `width` cells; the last one holds the rest."""
        if '"' in text or self._single is None:
            return self._split_quoted(text, width)
        if width is None:
            return Fields(text.split(self._single), (), is_open=False)
        cells = text.split(self._single, width - 1)
        if len(cells) == width and self._single in cells[-1]:
            cells[-1] = self._strip(cells[-1])
            return Fields(cells, (Repair.EXTRA_COMMAS,), is_open=False)
        return Fields(cells, (), is_open=False)

    def _split_quoted(self, text: str, width: int | None) -> Fields:
        cells: list[str] = []
        position: int | None = 0
        is_open = has_quote = False
        while position is not None and (width is None or len(cells) < width - 1):
            is_open = is_open or self._open.match(text, position) is not None
            cell, is_bare, position = self._next_cell(text, position)
            cells.append(cell)
            has_quote = has_quote or (is_bare and '"' in cell)
        repairs: list[Repair] = []
        if position is not None:
            rest = text[position:]
            is_open = is_open or self._open.match(rest) is not None
            if quoted := self._quoted_to_the_end.match(rest):
                rest = _unquote(quoted[1])
            else:
                if self._delimiter.search(rest):
                    rest = self._strip(rest)
                    repairs.append(Repair.EXTRA_COMMAS)
                has_quote = has_quote or '"' in rest
            cells.append(rest)
        if has_quote:
            repairs.append(Repair.BARE_QUOTE)
        return Fields(cells, tuple(repairs), is_open)

    def split_joined(self, text: str, width: int | None = None) -> Fields | None:
        """Split joined lines into at most `width` cells; the last one holds the rest.

        Returns None if a line ends outside quotes.
        """
        cells: list[str] = []
        last = 0
        position: int | None = 0
        while position is not None:
            if self._open.match(text, position):
                return Fields([], (), is_open=True)
            last = position if len(cells) + 1 == width else last
            cell, is_bare, position = self._next_cell(text, position)
            if is_bare and "\n" in cell:
                return None
            cells.append(cell)
        if width is None or len(cells) <= width:
            return Fields(cells, (), is_open=False)
        cells[width - 1 :] = [self._strip(text[last:])]
        return Fields(cells, (Repair.EXTRA_COMMAS,), is_open=False)

    def _next_cell(self, text: str, start: int) -> tuple[str, bool, int | None]:
        """Return the cell at `start`, whether it is unquoted, and where the next one starts (None: there is none)."""
        if quoted := self._quoted.match(text, start):
            return _unquote(quoted[1]), False, quoted.end() if quoted[2] else None
        found = self._delimiter.search(text, start)
        return (
            (text[start:], True, None) if found is None else (text[start : found.start()], True, found.end())
        )

    def _strip(self, rest: str) -> str:
        return rest.rstrip(self._delimiters + " \t")


def split_photos(text: str) -> list[str]:
    """Return the photos that a cell names, as a JSON list or separated by `|`, `;`, commas or line breaks.

    A formula such as `=HYPERLINK("https://...", "photo")` names its link target.
    A comma inside a name or an address does not separate: each part must end like a photo, or be an address if the
    first part is one.
    """
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            return [text]
        return [name.strip() for name in listed if isinstance(name, str) and name.strip()]
    if linked := _LINK_FORMULA.match(text):
        return [linked[1].strip()]
    for separator in _PHOTO_SEPARATORS:
        if separator in text:
            parts = [part.strip() for part in text.split(separator) if part.strip()]
            if parts and _are_photos(parts):
                return parts
    return [text]


def _are_photos(parts: Sequence[str]) -> bool:
    if _ADDRESS.match(parts[0]) is not None:
        return all(_ADDRESS.match(part) is not None for part in parts)
    return all(map(has_photo_ending, parts))


def _unquote(body: str) -> str:
    return body.replace('""', '"')


def _count_outside_quotes(text: str, sign: str) -> int:
    """Count a delimiter outside quoted cells."""
    return re.sub(rf'(?:^|(?<=[{re.escape(DELIMITERS)}])) *"[^"]*"', "", text).count(sign)
