"""The records of a CSV: values between delimiters, and in quotes also over several lines. No line is lost."""

import re
from collections import deque
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from hangtag.domain.errors import CatalogueError
from hangtag.labelling.inputs.folder import ends_like_photo
from hangtag.tables.lines import MAX_LINE_LENGTH, Line

_MAX_JOINED_LINES: Final = 1000
"""How many lines further a quote may be closed. One that nobody closes would otherwise fill the memory."""

_BODY: Final = r'[^"]*+(?:""[^"]*+)*+'
_STAYS_OPEN: Final = re.compile(rf"{_BODY}\Z")


class CsvRecord(NamedTuple):
    """The number of the line on which a record ends, its cells, and all of it as it was."""

    number: int
    cells: list[str]
    text: str


class CsvRecords:
    """The records that are not blank, of lines in which one of the `delimiters` is between two cells; iterated once.

    A value is quoted when its first character and its last one are quotes, as the CSV standard has it. Any other quote,
    such as the inch sign in 3.5", is a character of the value. So is one that is not closed before a line that is a
    row by itself, with as many cells as the header and a photo among them, or not at all: it never takes the rows
    behind it along.

    Raises `CatalogueError` where the lines cannot be read on.
    """

    def __init__(self, lines: Iterator[Line], delimiters: str) -> None:
        self._lines = lines
        self._ahead: deque[Line] = deque()
        self._splitter = _Splitter(delimiters)
        self._width: int | None = None

    def __iter__(self) -> Iterator[CsvRecord]:
        while (line := self._next_line()) is not None:
            cells, state = self._splitter.split(line.text)
            record = CsvRecord(line.number, cells, line.text)
            if state is _State.OPEN:
                record = self._join(line) or record._replace(cells=self._splitter.split_alone(line.text))
            if any(cell.strip() for cell in record.cells):
                self._width = self._width or len(record.cells)
                yield record

    def _next_line(self) -> Line | None:
        if self._ahead:
            return self._ahead.popleft()
        line = next(self._lines, None)
        if line is not None and len(line.text) > MAX_LINE_LENGTH:  # and was cut there
            raise CatalogueError(f"line {line.number:,} is longer than {MAX_LINE_LENGTH:,} characters")
        return line

    def _join(self, line: Line) -> CsvRecord | None:
        """Read on until the quote that a line leaves open is closed; None, and no line read, if it never is."""
        taken: list[Line] = []
        length = len(line.text)
        while len(taken) < _MAX_JOINED_LINES and length < MAX_LINE_LENGTH:
            following = self._next_line()
            if following is None:
                break
            taken.append(following)
            length += len(following.text)
            if self._is_row(following.text):
                break
            if _STAYS_OPEN.match(following.text):
                continue
            text = "\n".join(one.text for one in (line, *taken))
            cells, state = self._splitter.split(text)
            if state is _State.WHOLE:
                return CsvRecord(following.number, cells, text)
            if state is _State.BROKEN:
                break
        self._ahead.extendleft(reversed(taken))
        return None

    def _is_row(self, text: str) -> bool:
        cells = self._splitter.split_alone(text)
        return self._width in {None, len(cells)} and any(map(ends_like_photo, cells))


class _State(Enum):
    WHOLE = auto()
    OPEN = auto()
    """The last cell's quote is open."""
    BROKEN = auto()
    """A line ends in a cell that is not quoted."""


class _Splitter:
    def __init__(self, delimiters: str) -> None:
        signs = re.escape(delimiters)
        self._delimiters = delimiters
        self._quoted = re.compile(rf' *"({_BODY})" *([{signs}]|\Z)')
        self._open = re.compile(rf' *"{_BODY}\Z')
        self._bare = re.compile(rf"([^\n{signs}]*+)([{signs}]|\Z)")

    def split(self, text: str, *, may_be_open: bool = True) -> tuple[list[str], _State]:
        """Return the cells as far as they can be told, and what became of the text behind them."""
        if '"' not in text and len(self._delimiters) == 1:
            return text.split(self._delimiters), _State.WHOLE
        cells: list[str] = []
        position = 0
        while True:
            if found := self._quoted.match(text, position):
                cells.append(found[1].replace('""', '"'))
            elif may_be_open and self._open.match(text, position):
                return cells, _State.OPEN
            elif found := self._bare.match(text, position):
                cells.append(found[1])
            else:
                return cells, _State.BROKEN
            if not found[2]:
                return cells, _State.WHOLE
            position = found.end()

    def split_alone(self, text: str) -> list[str]:
        """Return the cells of one line by itself: a quote that it does not close is a character."""
        return self.split(text, may_be_open=False)[0]
