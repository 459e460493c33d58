"""From lines to rows: fields, quotes, surplus commas, and the reasons why a line is no row."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from hangtag.domain.columns import ID, LABEL_COLUMNS, NAME
from hangtag.domain.errors import CatalogueError
from hangtag.tables.lines import MAX_LINE_LENGTH, Line
from hangtag.tables.quotes import split_quoted, split_strictly
from hangtag.tables.values import MISSING, Repair, drop_invisible, is_perhaps_untidy, single_spaced

MAX_JOINED_LINES: Final = 20
MAX_JOINED_LENGTH: Final = 20_000
RAW_LENGTH: Final = 1_000
"""How many characters of an overlong line the rejects file shows."""


class RejectReason(StrEnum):
    """Why a line is no product. The value is the stable code."""

    TOO_SHORT = "too_short"
    TOO_MANY_FIELDS = "too_many_fields"
    TOO_LONG = "too_long"
    REPEATED_HEADER = "repeated_header"
    MISSING_ID = "missing_id"
    DUPLICATE_ID = "duplicate_id"


class Row(NamedTuple):
    """One product: its values in the order of the columns (None: missing), and what was repaired."""

    line: int
    values: list[str | None]
    repairs: tuple[Repair, ...]
    raw: str


class Reject(NamedTuple):
    """One line that is no product."""

    line: int
    reason: RejectReason
    explanation: str
    raw: str


class RowReader:
    """Iterates the rows and rejects of a table; `columns`, and the counts of lines that are neither.

    `blank` counts empty lines (and lines of nothing but commas), `joined` the lines that belong to the row
    begun before them, `lines` all of them, the header included.

    Raises `CatalogueError` when the header has no column of ids, or none of labels.
    """

    def __init__(self, lines: Iterable[Line], where: object = None) -> None:
        self._ahead: list[Line] = []
        self._source = iter(lines)
        self.lines = self.blank = self.joined = 0
        header = next(self._iter_filled(), None)
        if header is None:
            raise CatalogueError("the table is empty", where=where)
        self.columns = _read_header(header.text, where)
        self._last = len(self.columns) - 1
        self._free_text_last = self.columns[-1] == NAME
        self._id = self.columns.index(ID)

    def __iter__(self) -> Iterator[Row | Reject]:
        for line in self._iter_filled():
            if len(line.text) > MAX_LINE_LENGTH:
                explanation = f"the line is longer than {MAX_LINE_LENGTH:,} characters"
                yield Reject(line.number, RejectReason.TOO_LONG, explanation, line.text[:RAW_LENGTH])
            elif '"' in line.text:
                yield self._quoted_row(line)
            else:
                yield self._plain_row(line)

    def _iter_filled(self) -> Iterator[Line]:
        while (line := self._next_line()) is not None:
            if line.text.strip(", \t\xa0"):
                yield line
            else:
                self.blank += 1

    def _next_line(self) -> Line | None:
        line = self._ahead.pop() if self._ahead else next(self._source, None)
        self.lines += line is not None
        return line

    def _plain_row(self, line: Line) -> Row | Reject:
        fields = line.text.split(",", self._last)
        repairs: list[Repair] = []
        if len(fields) > self._last and "," in fields[-1]:
            fields[-1] = fields[-1].rstrip(", \t")
            repairs = [Repair.EXTRA_COMMAS]
        return self._row(line, fields, repairs, is_untidy=is_perhaps_untidy(line.text))

    def _quoted_row(self, line: Line) -> Row | Reject:
        split = split_quoted(line.text, self._last)
        if split.is_open and (whole := self._join(line)) is not None:
            return self._row(whole[0], whole[1], [Repair.JOINED_LINES], is_untidy=True)
        return self._row(line, split.fields, split.repairs, is_untidy=True)

    def _join(self, line: Line) -> tuple[Line, list[str]] | None:
        """Read on until the quote that a line leaves open is closed; None, and no line read, if it never is.

        A line that is a whole row by itself ends the search: the quote before it was then a bare one.
        """
        taken: list[Line] = []
        text = line.text
        while len(taken) < MAX_JOINED_LINES and len(text) < MAX_JOINED_LENGTH:
            following = self._next_line()
            if following is None:
                break
            taken.append(following)
            if self._is_whole_row(following.text):
                break
            text = f"{text}\n{following.text}"
            fields = split_strictly(text)
            if fields is not None and len(fields) == self._last + 1:
                self.joined += len(taken)
                recoded = line.recoded or any(one.recoded for one in taken)
                return Line(line.number, text, recoded), fields
        self._ahead.extend(reversed(taken))
        self.lines -= len(taken)
        return None

    def _is_whole_row(self, text: str) -> bool:
        fields = split_quoted(text, self._last).fields
        return len(fields) > self._last and single_spaced(fields[self._id]) not in MISSING

    def _row(self, line: Line, fields: list[str], repairs: list[Repair], *, is_untidy: bool) -> Row | Reject:
        if len(fields) <= self._last:
            return _reject(line, RejectReason.TOO_SHORT, f"it has {len(fields)} of {self._last + 1} fields")
        if Repair.EXTRA_COMMAS in repairs and not self._free_text_last and "," in fields[-1]:
            explanation = f"it has more than {self._last + 1} fields, and its last column is no free text"
            return _reject(line, RejectReason.TOO_MANY_FIELDS, explanation)
        if is_untidy:
            fields = _tidy(fields, repairs)
        if line.recoded:
            repairs.append(Repair.ENCODING)
        if fields[self._id] == ID and tuple(fields) == self.columns:
            return _reject(line, RejectReason.REPEATED_HEADER, "it is the header again")
        values: list[str | None] = [*fields]
        if not MISSING.isdisjoint(fields):
            values = [None if field in MISSING else field for field in fields]
        if values[self._id] is None:
            return _reject(line, RejectReason.MISSING_ID, f"it has no {ID}")
        return Row(line.number, values, tuple(repairs), line.text)


def _reject(line: Line, reason: RejectReason, explanation: str) -> Reject:
    return Reject(line.number, reason, explanation, line.text)


def _tidy(fields: Sequence[str], repairs: list[Repair]) -> list[str]:
    visible = [drop_invisible(field) for field in fields]
    tidy = [single_spaced(field) for field in visible]
    if visible != fields:
        repairs.append(Repair.INVISIBLE)
    if tidy != visible:
        repairs.append(Repair.SPACES)
    return tidy


def _read_header(text: str, where: object) -> tuple[str, ...]:
    fields = split_quoted(text, text.count(",")).fields
    names = tuple(single_spaced(drop_invisible(field)) for field in fields)
    while names and not names[-1]:  # spreadsheets leave empty columns behind
        names = names[:-1]
    lacks_labels = not set(LABEL_COLUMNS).intersection(names)
    if ID not in names or lacks_labels:
        separator = next((f" Is the table separated by {sign!r}?" for sign in ";\t|" if sign in text), "")
        lacking = f"column {ID}" if ID not in names else f"label column ({', '.join(LABEL_COLUMNS)})"
        raise CatalogueError(
            f"the header has no {lacking}",
            where=where,
            fix=f"It reads: {', '.join(names)[:200]}.{separator}",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "" in names:
        problem = f"names {', '.join(twice)} twice" if any(twice) else "leaves a column without a name"
        raise CatalogueError(f"the header {problem}", where=where, fix="Give each column one name.")
    return names
