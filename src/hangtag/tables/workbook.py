"""Workbooks: .xlsx, .xlsm, .xlsb, .xls and .ods. They are opened whole; Excel ends at a million rows."""

import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final
from xml.etree import ElementTree as ET

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from hangtag.domain.errors import TableError
from hangtag.domain.text import did_you_mean
from hangtag.tables.cells import Kind, TableRow, as_kind, common_kind, kind_of, render_value
from hangtag.tables.reading import TABLES_READ, Opener, Table

_PLACE: Final = re.compile(r"\$?([A-Z]+)\$?([0-9]+)")
_LINK_FORMULA: Final = re.compile(r"""\s*(?:_xlfn\.)?(?:HYPERLINK|IMAGE)\(\s*"([^"]+)""", re.IGNORECASE)


class WorkbookTable(Table):
    """One sheet of a workbook; its first row that is not blank is the header.

    A column whose cells are all numbers, dates or booleans keeps them as such; every other one is text. Rows bear the
    numbers that the sheet shows. `sheet` is the sheet's name, and `first_column` the place of its first column (A: 0).
    """

    def __init__(self, opener: Opener, where: object, sheet: str | None = None) -> None:
        self._opener = opener
        try:
            with opener() as file:
                workbook = CalamineWorkbook.from_filelike(file)
                found = _find_sheet(workbook, sheet, where)
                self._sheets = [shown.name for shown in _iter_shown(workbook)]
        except (CalamineError, OSError, zipfile.BadZipFile) as error:
            fix = f"hangtag reads {TABLES_READ}."
            raise TableError(f"the table cannot be read ({error})", where=where, fix=fix) from None
        if found is None:
            raise TableError("the table cannot be read (it is empty)", where=where)
        self._sheet = found
        self.sheet: str = found.name
        self.first_column = found.start[1] if found.start else 0
        header = next(self._iter_cells(), (0, []))[1]
        if not header:
            raise TableError("the table cannot be read (it is empty)", where=where)
        names = ["" if cell is None else render_value(cell) for cell in header]
        super().__init__(where, names, self._find_kinds(len(names)))

    def __iter__(self) -> Iterator[TableRow]:
        kinds = [column.kind for column in self.columns]
        for number, cells in islice(self._iter_cells(), 1, None):
            yield TableRow(number, tuple(map(as_kind, cells, kinds)))

    @property
    def sheets(self) -> list[str]:
        """The visible sheets that hold anything."""
        return self._sheets

    def links(self, column: int) -> dict[int, str]:
        """Return the addresses that a column's cells link to, or show a picture from, by row number."""
        try:
            with self._opener() as file, zipfile.ZipFile(file) as archive:
                return _find_links(archive, self.sheet, self.first_column + column)
        except (zipfile.BadZipFile, KeyError, ET.ParseError, OSError):
            return {}  # .xls, .xlsb and .ods keep their links elsewhere; docs/labelling.md says so

    def _iter_cells(self) -> Iterator[tuple[int, Sequence[object]]]:
        first = self._sheet.start[0] + 1 if self._sheet.start else 1
        for number, cells in enumerate(self._sheet.iter_rows(), start=first):
            row = [None if cell == "" else cell for cell in cells]
            if any(cell is not None for cell in row):
                yield number, row

    def _find_kinds(self, width: int) -> list[Kind]:
        kinds: list[set[Kind]] = [set() for _ in range(width)]
        for _, cells in islice(self._iter_cells(), 1, None):
            for found, cell in zip(kinds, cells, strict=True):
                if cell is not None:
                    found.add(kind_of(cell))
        return [common_kind(found) for found in kinds]


def _find_sheet(workbook: CalamineWorkbook, wanted: str | None, where: object) -> CalamineSheet | None:
    if wanted is not None:
        if wanted not in workbook.sheet_names:
            fix = f"{did_you_mean(wanted, workbook.sheet_names)}There are {', '.join(workbook.sheet_names)}."
            raise TableError(f"the workbook has no sheet {wanted}", where=where, fix=fix)
        return workbook.get_sheet_by_name(wanted)
    return next(_iter_shown(workbook), None)


def _iter_shown(workbook: CalamineWorkbook) -> Iterator[CalamineSheet]:
    """Iterate the visible sheets that hold anything."""
    for position, metadata in enumerate(workbook.sheets_metadata):
        if metadata.visible == SheetVisibleEnum.Visible:
            sheet = workbook.get_sheet_by_index(position)
            if sheet.height:
                yield sheet


def _find_links(archive: zipfile.ZipFile, sheet: str, column: int) -> dict[int, str]:
    """Read the links of one column from the XML of a sheet: those of cells, and those that formulas make."""
    part = find_part(archive, sheet)
    targets = _read_relations(archive, part)
    links: dict[int, str] = {}
    place = ""
    with archive.open(part) as file:
        for event, element in ET.iterparse(file, ("start", "end")):  # noqa: S314 - expat limits expansion
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                place = element.get("r", "") if tag == "c" else place
                continue
            if (
                tag == "f"
                and (row := _row_in(place, column))
                and (found := _LINK_FORMULA.match(element.text or ""))
            ):
                links[row] = found[1]
            elif tag == "hyperlink" and (row := _row_in(element.get("ref", ""), column)):
                name = next((value for key, value in element.items() if key.endswith("}id")), "")
                if target := targets.get(name):
                    links[row] = target
            elif tag == "row":
                element.clear()
    return links


def find_part(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the file of a sheet in the zip that a workbook is. Raises `KeyError` for a sheet that is not there."""
    targets = _read_relations(archive, "xl/workbook.xml")
    root = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 - expat limits expansion
    for element in root.iter():
        if element.tag.endswith("}sheet") and element.get("name") == sheet:
            name = next(value for key, value in element.items() if key.endswith("}id"))
            return posixpath.normpath(posixpath.join("xl", targets[name])).removeprefix("/")
    raise KeyError(sheet)


def _read_relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    folder, name = posixpath.split(part)
    path = f"{folder}/_rels/{name}.rels"
    if path not in archive.namelist():
        return {}
    root = ET.fromstring(archive.read(path))  # noqa: S314 - expat limits expansion
    return {element.get("Id", ""): element.get("Target", "") for element in root}


def _row_in(place: str, column: int) -> int | None:
    """Return the row of a cell `B7`, or of the first cell of a range, if it stands in a column (0 is A)."""
    found = _PLACE.match(place)
    if found is None:
        return None
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return int(found[2]) if number - 1 == column else None
