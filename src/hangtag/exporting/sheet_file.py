"""Changing only some cells of a shop's sheet: in the XML of an XLSX file, or in the text of a CSV file."""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, NoReturn
from xml.sax.saxutils import escape

from hangtag.domain.errors import TableError
from hangtag.exporting.sheet import SheetFiller, iter_filled
from hangtag.tables.reading import DelimitedTable, Table
from hangtag.tables.workbook import WorkbookTable

_LARGEST_PART: Final = 1 << 30
_LARGEST_ROW: Final = 16 << 20
_PIECE_BYTES: Final = 1 << 18
_ROW_END: Final = "</row>"
_ROW: Final = re.compile(r"<row\b(?P<attributes>[^>]*?)(?:/>|>(?P<cells>.*?)</row>)", re.DOTALL)
_CELL: Final = re.compile(r"<c\b(?P<attributes>[^>]*?)(?:/>|>(?P<content>.*?)</c>)", re.DOTALL)
_NUMBER: Final = re.compile(r'\br="(\d+)"')
_PLACE: Final = re.compile(r'\br="([A-Z]+)\d+"')
_TYPE: Final = re.compile(r'\s+t="[^"]*"')
_CALCULATION: Final = re.compile(r"<calcPr\b[^>]*?/>")
_AFTER_CALCULATION: Final = re.compile(
    r"<(?:oleSize|customWorkbookViews|pivotCaches|smartTagPr|smartTagTypes|webPublishing|fileRecoveryPr|extLst)\b|</workbook>"
)
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def write_filled(source: Path, table: Table, filler: SheetFiller, output: BinaryIO) -> None:
    """Write a sheet with its new values. Raises `TableError` for a format that cannot be changed in place."""
    if isinstance(table, WorkbookTable) and zipfile.is_zipfile(source):
        _write_workbook(source, table, filler, output)
    elif isinstance(table, DelimitedTable):
        _write_text(source, table, filler, output)
    else:
        raise TableError(
            "tables of this format cannot be filled in place", where=source, fix="Save it as .xlsx or .csv."
        )


def _write_workbook(source: Path, table: WorkbookTable, filler: SheetFiller, output: BinaryIO) -> None:
    rows = {
        number: {table.first_column + place: value for place, value in values.items()}
        for number, values in iter_filled(table, filler)
    }
    try:
        with zipfile.ZipFile(source) as archive, zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as filled:
            for entry in archive.infolist():
                if entry.file_size > _LARGEST_PART:
                    raise TableError(f"{entry.filename} is larger than 1 GB", where=source)
                pieces = _iter_pieces(archive, entry)
                if entry.filename == table.part:
                    pieces = _RowFiller(rows, filler, source).fill(pieces)
                elif entry.filename == "xl/workbook.xml" and rows:
                    pieces = iter([_calculate_on_load(b"".join(pieces).decode("utf-8")).encode("utf-8")])
                with filled.open(_same_entry(entry), "w") as part:
                    for piece in pieces:
                        part.write(piece)
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        fix = "Save it as .xlsx with Excel or LibreOffice."
        raise TableError(
            f"the workbook cannot be changed in place ({error})", where=source, fix=fix
        ) from None


def _iter_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the unpacked chunks of a zip entry. Raises `zipfile.BadZipFile` if it is larger than it claims."""
    left = entry.file_size
    with archive.open(entry) as file:
        while piece := file.read(_PIECE_BYTES):
            left -= len(piece)
            if left < 0:
                raise zipfile.BadZipFile(f"{entry.filename} is larger than its header says")
            yield piece


def _same_entry(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Return the entry for a changed copy of a file."""
    same = zipfile.ZipInfo(entry.filename, entry.date_time)
    same.compress_type = entry.compress_type
    same.external_attr, same.comment = entry.external_attr, entry.comment
    same.file_size = entry.file_size
    return same


class _RowFiller:
    """Inserts values into cells of a sheet, by row number and column (0 is A). Few rows are in memory at a time.

    Cells with a formula keep it, and the `SheetFiller` is told how many there are.
    """

    def __init__(self, rows: Mapping[int, Mapping[int, str]], filler: SheetFiller, where: object) -> None:
        self._rows = rows
        self._filler = filler
        self._where = where
        self._done: set[int] = set()

    def fill(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the XML with the new values. Raises `TableError` for XML with an unsupported structure."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        rest = ""
        for piece in pieces:
            rest += decoder.decode(piece)
            end = rest.rfind(_ROW_END) + len(_ROW_END)
            if end >= len(_ROW_END):
                yield _ROW.sub(self._fill_row, rest[:end]).encode("utf-8")
                rest = rest[end:]
            if len(rest) > _LARGEST_ROW:
                self._refuse("a row of the sheet is too large")
        yield _ROW.sub(self._fill_row, rest + decoder.decode(b"", final=True)).encode("utf-8")
        if len(self._done) < len(self._rows):
            self._refuse("the sheet stores its rows in an unsupported way")

    def _fill_row(self, row: re.Match[str]) -> str:
        found = _NUMBER.search(row["attributes"])
        if found is None:
            self._refuse("the rows of the sheet have no numbers")
        number = int(found[1])
        if number not in self._rows:
            return row[0]
        self._done.add(number)
        cells, kept = _fill_row(row["cells"] or "", number, self._rows[number])
        self._filler.count_formulas(kept)
        return f"<row{row['attributes'].rstrip()}>{cells}</row>"

    def _refuse(self, problem: str) -> NoReturn:
        raise TableError(problem, where=self._where, fix="Save it with Excel.")


def _fill_row(cells: str, number: int, values: Mapping[int, str]) -> tuple[str, int]:
    parts: list[tuple[int, str]] = []
    formulas = 0
    for cell in _CELL.finditer(cells):
        found = _PLACE.search(cell["attributes"])
        column = _column_number(found[1]) if found else len(parts)
        text = cell[0]
        if column in values and "<f" in (cell["content"] or ""):
            formulas += 1
        elif column in values:
            kept = _TYPE.sub("", cell["attributes"]).rstrip()
            text = f'<c{kept} t="inlineStr">{_inline(values[column])}</c>'
        parts.append((column, text))
    there = {column for column, _ in parts}
    parts += [
        (column, f'<c r="{_column_name(column)}{number}" t="inlineStr">{_inline(value)}</c>')
        for column, value in values.items()
        if column not in there
    ]
    parts.sort(key=lambda part: part[0])
    return "".join(text for _, text in parts), formulas


def _inline(value: str) -> str:
    return f'<is><t xml:space="preserve">{escape(value)}</t></is>'


def _calculate_on_load(xml: str) -> str:
    """Return a workbook's XML with the setting to recalculate formulas when it is opened."""
    found = _CALCULATION.search(xml)
    if found is None:
        return _AFTER_CALCULATION.sub(lambda after: f'<calcPr fullCalcOnLoad="1"/>{after[0]}', xml, count=1)
    if "fullCalcOnLoad" in found[0]:
        return xml
    return xml[: found.end() - 2] + ' fullCalcOnLoad="1"/>' + xml[found.end() :]


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _column_name(number: int) -> str:
    name, left = "", number + 1
    while left:
        left, digit = divmod(left - 1, 26)
        name = chr(ord("A") + digit) + name
    return name


def _write_text(source: Path, table: DelimitedTable, filler: SheetFiller, output: BinaryIO) -> None:
    """Write a CSV. Rows without new values keep their text, quotes and line ends; byte order mark and encoding stay."""
    data = source.read_bytes()
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    text = data[len(mark) :]
    try:
        decoded = text.decode(encoding)
    except UnicodeDecodeError:
        encoding = "cp1252"
        # Bytes that are invalid in the encoding are preserved, too.
        decoded = text.decode(encoding, "surrogateescape")
    output.write(mark)
    width, is_header = len(table.names), True
    for raw, cells in _iter_records(decoded, table.delimiter):
        changed = raw
        if any(map(str.strip, cells)) and not raw.lower().startswith("sep="):
            values = {} if is_header else filler.fill([*cells, *[""] * (width - len(cells))])
            is_header = False
            changed = _change_record(raw, cells, values, table.delimiter) if values else raw
        output.write(changed.encode(encoding, "surrogateescape"))


def _iter_records(text: str, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the records of a CSV: the original text with its line end, and the cells."""
    taken: list[str] = []

    def take() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    for cells in csv.reader(take(), delimiter=delimiter):
        yield "".join(taken), cells
        taken.clear()


def _change_record(raw: str, cells: list[str], values: Mapping[int, str], delimiter: str) -> str:
    changed = [*cells, *[""] * (max(values) + 1 - len(cells))]
    for place, value in values.items():
        changed[place] = value
    ending = raw[len(raw.rstrip("\r\n")) :]
    buffer = io.StringIO(newline="")
    is_quoted = raw.lstrip().startswith('"') and raw.count('"') >= 2 * len(cells)
    dialect = csv.unix_dialect if is_quoted else csv.excel  # unix_dialect quotes every cell
    csv.writer(buffer, dialect, delimiter=delimiter, lineterminator=ending).writerow(changed)
    return buffer.getvalue()
