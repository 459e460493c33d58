"""Reads .xlsx and .xlsm files as a stream: rows are yielded while the sheet's XML is unpacked, in little memory.

Any part of the file may make false claims or unpack to an enormous size. So bytes, elements, cells and texts are
counted while they are read, and names, nesting and the zip's index are limited as well.
"""

import datetime as dt
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, NamedTuple
from xml.parsers import expat

from hangtag.tables.openxml_parts import (
    MOST_COLUMNS,
    MOST_ROW_CHARACTERS,
    Cell,
    ElementReader,
    LinkReader,
    Reader,
    SheetReader,
    Texts,
    TooLargeError,
    unescape,
)

MOST_BYTES: Final = 1 << 30
"""The limit for all unpacked XML. Twenty million cells need about as much."""

_MOST_INDEX_BYTES: Final = 1 << 20
_MOST_NAMES: Final = 10_000
_MOST_TOKEN_BYTES: Final = 1 << 20
_SMALL_PART_BYTES: Final = 32 << 20
_PIECE_BYTES: Final = 1 << 16
_METHODS: Final = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))

_BOOK: Final = "xl/workbook.xml"
_DATES: Final = frozenset((*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)))
_DURATION: Final = 46
"""The built-in format numbers of dates and durations."""

_NOT_SIGNS: Final = re.compile(r'"[^"]*"|\\.|_.|\*.')
_ELAPSED: Final = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"\[[^\]]*\]")
_DATE_SIGN: Final = re.compile(r"[dmyhs]|am/pm", re.IGNORECASE)
_EPOCH: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - sheets know no time zones
_EPOCH_1904: Final = dt.datetime(1904, 1, 1)  # noqa: DTZ001 - as above
_BEFORE_LEAP_DAY: Final = 60
"""Excel treats 1900 as a leap year, so serial numbers before 60 mean one day earlier."""

_LAST_SERIAL: Final = 2_958_465
"""The serial number of 31 December 9999."""

Cells = dict[int, object]
"""The non-empty values of a row, by column (0 is A)."""


class Sheet(NamedTuple):
    """A sheet of a workbook: its name, its part of the zip, and whether it is visible."""

    name: str
    part: str
    is_visible: bool


def is_open_xml(file: BinaryIO) -> bool:
    """Return whether a file is an Open XML workbook. Raises `TooLargeError` and `zipfile.BadZipFile`."""
    with _open_zip(file) as archive:
        return _BOOK in archive.NameToInfo


class OpenXmlBook:
    """A workbook in a file, which is reopened for each reading.

    The constructor and the methods raise `TooLargeError` if a limit is exceeded, and `zipfile.BadZipFile`, `KeyError`
    or `expat.ExpatError` for a file that is damaged or not a workbook.
    """

    def __init__(self, opener: Callable[[], BinaryIO]) -> None:
        self._opener = opener
        self._read: dict[str, int] = {}
        self._columns: dict[str, int] = {}
        self._epoch = _EPOCH
        with opener() as file, _open_zip(file) as archive:
            self.sheets = self._read_sheets(archive)
            self._styles = self._read_styles(archive)
            self._texts = self._read_texts(archive)

    def iter_rows(self, sheet: Sheet) -> Iterator[tuple[int, Cells]]:
        """Iterate the non-empty rows of a sheet, each with the row number that the sheet shows."""
        reader = SheetReader(self._column)
        with self._opener() as file, _open_zip(file) as archive:
            for _ in self._parse(archive, sheet.part, reader):
                for number, cells in reader.take():
                    if found := self._evaluate(cells):
                        yield number, found

    def links(self, sheet: Sheet, column: int) -> dict[int, str]:
        """Return the link or picture addresses in a column (0 is A), by row number."""
        with self._opener() as file, _open_zip(file) as archive:
            reader = LinkReader(column, self._column, self._read_relations(archive, sheet.part))
            for _ in self._parse(archive, sheet.part, reader):
                pass
        return reader.links

    def _read_sheets(self, archive: zipfile.ZipFile) -> list[Sheet]:
        targets = self._read_relations(archive, _BOOK)
        sheets = []
        for name, attributes in self._read_elements(archive, _BOOK, {"sheet", "workbookPr"}):
            if name == "workbookPr":
                is_1904 = attributes.get("date1904", "0").lower() in {"1", "true"}
                self._epoch = _EPOCH_1904 if is_1904 else _EPOCH
                continue
            link = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            part = posixpath.normpath(posixpath.join("xl", targets.get(link, ""))).removeprefix("/")
            if part in archive.NameToInfo:
                is_visible = attributes.get("state", "visible") == "visible"
                sheets.append(Sheet(attributes.get("name", ""), part, is_visible))
        return sheets

    def _read_relations(self, archive: zipfile.ZipFile, part: str) -> dict[str, str]:
        folder, name = posixpath.split(part)
        path = f"{folder}/_rels/{name}.rels"
        if path not in archive.NameToInfo:
            return {}
        found = self._read_elements(archive, path, {"Relationship"})
        return {attributes.get("Id", ""): attributes.get("Target", "") for _, attributes in found}

    def _read_styles(self, archive: zipfile.ZipFile) -> list[int]:
        """Return the equivalent built-in format of each cell style; 0 for numbers and text."""
        path = "xl/styles.xml"
        if path not in archive.NameToInfo:
            return []
        formats: dict[str, int] = {}
        styles: list[int] = []
        is_of_cells = False
        for name, attributes in self._read_elements(archive, path, {"numFmt", "cellXfs", "cellStyles", "xf"}):
            if name == "numFmt":
                formats[attributes.get("numFmtId", "")] = _find_format(attributes.get("formatCode", ""))
            elif name == "xf" and is_of_cells:
                number = attributes.get("numFmtId", "0")
                known = int(number) if number.isdecimal() and len(number) < 4 else 0  # noqa: PLR2004 - below 164
                styles.append(formats.get(number, known if known in _DATES or known == _DURATION else 0))
            elif name != "xf":
                is_of_cells = name == "cellXfs"
        return styles

    def _read_texts(self, archive: zipfile.ZipFile) -> "Texts":
        texts = Texts()
        path = next((name for name in archive.NameToInfo if name.lower() == "xl/sharedstrings.xml"), None)
        if path is not None:
            for _ in self._parse(archive, path, texts):
                pass
        return texts

    def _read_elements(
        self, archive: zipfile.ZipFile, part: str, wanted: set[str]
    ) -> list[tuple[str, dict[str, str]]]:
        reader = ElementReader(wanted)
        for _ in self._parse(archive, part, reader, _SMALL_PART_BYTES):
            pass
        return reader.found

    def _parse(
        self, archive: zipfile.ZipFile, part: str, reader: "Reader", most_bytes: int = MOST_BYTES
    ) -> Iterator[None]:
        """Feed a part to a reader in chunks. A part that is read again does not count towards the total limit."""
        read = 0
        parser = reader.open()
        with _open_part(archive, part) as file:
            while piece := file.read(_PIECE_BYTES):
                read += len(piece)
                self._read[part] = max(read, self._read.get(part, 0))
                if read > most_bytes or sum(self._read.values()) > MOST_BYTES:
                    raise TooLargeError(f"it unpacks to more than {min(most_bytes, MOST_BYTES) >> 20:,} MiB")
                parser.Parse(piece)
                reader.check()
                if len(parser.intern) > _MOST_NAMES:
                    raise TooLargeError(f"its XML has more than {_MOST_NAMES:,} names")
                if read - parser.CurrentByteIndex > _MOST_TOKEN_BYTES + _PIECE_BYTES:
                    raise TooLargeError("its XML has an endless element")
                yield
            parser.Parse(b"", True)
            yield

    def _column(self, letters: str) -> int:
        """Return the number of a column from its letters (0 is A)."""
        number = self._columns.get(letters)
        if number is None:
            if not (0 < len(letters) < 4 and letters.isascii() and letters.isupper()):  # noqa: PLR2004 - XFD
                raise TooLargeError(f"a cell stands in column {letters[:9]!r}")
            number = 0
            for letter in letters:
                number = number * 26 + ord(letter) - ord("A") + 1
            if number > MOST_COLUMNS:
                raise TooLargeError(f"it has more than {MOST_COLUMNS:,} columns")
            number = self._columns[letters] = number - 1
        return number

    def _evaluate(self, cells: list[Cell]) -> Cells:
        found: Cells = {}
        left = MOST_ROW_CHARACTERS
        for cell in cells:
            if cell[1] is None and cell[2] is None:
                found[cell[0]] = float(cell[3])
                continue
            value = self._value(cell)
            if value is not None and value != "":
                found[cell[0]] = value
                left -= len(value) if isinstance(value, str) else 0
                if left < 0:
                    raise TooLargeError(f"a row has more than {MOST_ROW_CHARACTERS:,} characters")
        return found

    def _value(self, cell: Cell) -> object:
        """Return a cell's value: text, number, boolean, date, time or duration; None for an error."""
        _, type_, written, text = cell
        if type_ == "s":
            return self._texts[int(text)]
        if type_ is None or type_ == "n":
            style = int(written) if written else 0
            kind = self._styles[style] if 0 <= style < len(self._styles) else 0
            return _find_date(float(text), kind, self._epoch) if kind else float(text)
        if type_ in {"str", "inlineStr"}:
            return unescape(text)
        if type_ == "b":
            return text.strip() != "0"
        return _parse_iso(text) if type_ == "d" else None


def _open_zip(file: BinaryIO) -> zipfile.ZipFile:
    # The index is read whole: a workbook's has about a hundred entries.
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001 - where ZipFile will look, too
    if end is None:
        raise zipfile.BadZipFile("it has no index; it may be cut off")
    if end[5] > _MOST_INDEX_BYTES:
        raise TooLargeError("it holds too many files")
    return zipfile.ZipFile(file)


def _open_part(archive: zipfile.ZipFile, part: str) -> Any:  # noqa: ANN401 - a file that only zipfile names
    entry = archive.getinfo(part)
    if entry.compress_type not in _METHODS or entry.flag_bits & 1:
        raise zipfile.BadZipFile("it is encrypted, or compressed in an unsupported way")
    return archive.open(entry)


def _find_format(code: str) -> int:
    """Return the equivalent built-in format of a format code: a date's, a duration's, or 0 for any other."""
    section = _NOT_SIGNS.sub("", code).split(";", 1)[0]
    if _ELAPSED.search(section):
        return _DURATION
    return 14 if _DATE_SIGN.search(_BRACKETS.sub("", section)) else 0


def _find_date(serial: float, format_: int, epoch: dt.datetime) -> object:
    """Return the date, time or duration that a number stands for, or the number itself if it stands for none."""
    if format_ == _DURATION and abs(serial) < dt.timedelta.max.days:
        return dt.timedelta(milliseconds=round(serial * 86_400_000))
    if not 0 <= serial < _LAST_SERIAL + 1:
        return serial
    if epoch == _EPOCH and serial < _BEFORE_LEAP_DAY:
        epoch += dt.timedelta(days=1)
    try:
        moment = epoch + dt.timedelta(milliseconds=round(serial * 86_400_000))
    except OverflowError:
        return serial
    if serial < 1:
        return moment.time()
    return moment.date() if serial.is_integer() else moment


def _parse_iso(text: str) -> object:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.date() if len(text) <= len("2026-01-01") else moment


ERRORS: Final = (
    TooLargeError,
    zipfile.BadZipFile,
    KeyError,
    expat.ExpatError,
    OSError,
    ValueError,
    EOFError,
    zlib.error,
    RuntimeError,
    NotImplementedError,
)
"""The errors that reading a damaged or hostile workbook raises."""
