"""Turning records into products: the catalogue's columns, cleaned values, and reasons for rejected lines."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from hangtag.domain.columns import CATALOGUE_COLUMNS, ID, LABEL_COLUMNS, NAME
from hangtag.domain.errors import CatalogueError
from hangtag.tables.cells import plain_name
from hangtag.tables.delimited import Record, RecordReader
from hangtag.tables.lines import MAX_LINE_LENGTH, Line
from hangtag.tables.reading import explain_title
from hangtag.tables.values import (
    MISSING,
    Repair,
    drop_invisible,
    drop_zero_fraction,
    is_perhaps_untidy,
    is_ruined,
    single_spaced,
)

RAW_LENGTH: Final = 1_000
"""The number of characters of an overlong line that the rejects file shows."""

_USUAL: Final = {plain_name(name): name for name in (*CATALOGUE_COLUMNS, *LABEL_COLUMNS)}
"""The column names that hangtag knows, by their lower-case form."""


class RejectReason(StrEnum):
    """Why a line is not a product. The value is the stable code."""

    TOO_SHORT = "too_short"
    TOO_MANY_FIELDS = "too_many_fields"
    TOO_LONG = "too_long"
    REPEATED_HEADER = "repeated_header"
    MISSING_ID = "missing_id"
    DUPLICATE_ID = "duplicate_id"


class Row(NamedTuple):
    """One product: its values in column order (None: missing), and what was repaired."""

    line: int
    values: list[str | None]
    repairs: tuple[Repair, ...]
    raw: str


class Reject(NamedTuple):
    """One line that is not a product."""

    line: int
    reason: RejectReason
    explanation: str
    raw: str


class RowReader:
    """Iterates the rows and rejects of a table, and counts the lines that are neither.

    `lines` counts all lines including the header, `blank` the lines without values, and `joined` the continuation
    lines of rows. `mended` are the columns whose numbers all end in `.0`, which is dropped. `ruined` counts ids that
    a program seems to have changed and that cannot be restored.

    Raises `CatalogueError` if the header has no id column or no label column.
    """

    def __init__(self, lines: Iterable[Line], where: object = None, mended: Iterable[str] = ()) -> None:
        self._records = RecordReader(lines, where)
        self.columns = _read_header(self._records.header, where)
        self._records.width = len(self.columns)
        self._free_text_last = self.columns[-1] == NAME
        self._id = self._records.key = self.columns.index(ID)
        self._mended = [self.columns.index(name) for name in mended]
        self._delimiter = self._records.delimiter
        self.ruined = 0

    @property
    def lines(self) -> int:
        """The number of lines read."""
        return self._records.lines

    @property
    def blank(self) -> int:
        """The number of lines without values."""
        return self._records.blank

    @property
    def joined(self) -> int:
        """The number of lines that continue a row."""
        return self._records.joined

    def __iter__(self) -> Iterator[Row | Reject]:
        for record in self._records:
            if record.is_cut:
                explanation = f"the line is longer than {MAX_LINE_LENGTH:,} characters"
                yield Reject(record.line, RejectReason.TOO_LONG, explanation, record.text[:RAW_LENGTH])
            else:
                yield self._row(record)

    def _row(self, record: Record) -> Row | Reject:
        fields, width = record.cells, len(self.columns)
        repairs = list(record.repairs)
        if len(fields) < width:
            return _reject(record, RejectReason.TOO_SHORT, f"it has {len(fields)} of {width} fields")
        if Repair.EXTRA_COMMAS in repairs and not self._free_text_last and self._delimiter in fields[-1]:
            explanation = f"it has more than {width} fields, and its last column is not free text"
            return _reject(record, RejectReason.TOO_MANY_FIELDS, explanation)
        if '"' in record.text or is_perhaps_untidy(record.text, self._delimiter):
            fields = _tidy(fields, repairs)
        if fields[self._id] == ID and tuple(fields) == self.columns:
            return _reject(record, RejectReason.REPEATED_HEADER, "it is the header again")
        if self._mended:
            fields = self._mend(fields, repairs)
        values: list[str | None] = [*fields]
        if not MISSING.isdisjoint(fields):
            values = [None if field in MISSING else field for field in fields]
        id_ = values[self._id]
        if id_ is None:
            return _reject(record, RejectReason.MISSING_ID, f"it has no {ID}")
        self.ruined += not id_.isdigit() and is_ruined(id_)
        return Row(record.line, values, tuple(repairs), record.text)

    def _mend(self, fields: Sequence[str], repairs: list[Repair]) -> list[str]:
        mended = list(fields)
        for position in self._mended:
            mended[position] = drop_zero_fraction(fields[position])
        if mended != fields:
            repairs.append(Repair.NUMBERS)
        return mended


def _reject(record: Record, reason: RejectReason, explanation: str) -> Reject:
    return Reject(record.line, reason, explanation, record.text)


def _tidy(fields: Sequence[str], repairs: list[Repair]) -> list[str]:
    visible = [drop_invisible(field) for field in fields]
    composed = [unicodedata.normalize("NFC", field) for field in visible]
    tidy = [single_spaced(field) for field in composed]
    if visible != fields:
        repairs.append(Repair.INVISIBLE)
    if composed != visible:
        repairs.append(Repair.COMPOSITION)
    if tidy != composed:
        repairs.append(Repair.SPACES)
    return tidy


def _read_header(fields: Sequence[str], where: object) -> tuple[str, ...]:
    names = tuple(single_spaced(drop_invisible(field)) for field in fields)
    while names and not names[-1]:  # spreadsheets leave empty columns at the end
        names = names[:-1]
    names = tuple(
        _in_usual_capitals(name, names) or f"column {place}" for place, name in enumerate(names, start=1)
    )
    lacks_labels = not set(LABEL_COLUMNS).intersection(names)
    if ID not in names or lacks_labels:
        lacking = f"column {ID}" if ID not in names else f"label column ({', '.join(LABEL_COLUMNS)})"
        other = "Describe a table with other columns in a catalogue.toml."
        fix = f"The header is: {', '.join(names)[:200]}.{explain_title(names) or f' {other}'}"
        raise CatalogueError(f"the header has no {lacking}", where=where, fix=fix)
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        problem = f"the header names {', '.join(twice)} twice"
        raise CatalogueError(problem, where=where, fix="Give each column one name.")
    return names


def _in_usual_capitals(name: str, names: Sequence[str]) -> str:
    """Return a known column name in hangtag's spelling, unless another column already has it."""
    usual = _USUAL.get(plain_name(name), name)
    alike = [other for other in names if plain_name(other) == plain_name(name)]
    return usual if len(alike) == 1 else name
