"""Workbooks: .xlsx and .xlsm are streamed; .xlsb, .xls and .ods are opened whole."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final, NamedTuple, Protocol, cast

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from hangtag.domain.errors import TableError
from hangtag.domain.text import did_you_mean
from hangtag.tables.cells import (
    MOST_TITLES,
    Kind,
    TableRow,
    as_kind,
    common_kind,
    find_header,
    kind_of,
    render_value,
)
from hangtag.tables.openxml import ERRORS, Cells, OpenXmlBook, is_open_xml
from hangtag.tables.openxml_parts import MOST_CELLS, TooLargeError
from hangtag.tables.reading import TABLES_READ, Opener, Table

_FAILURES: Final = (CalamineError, *ERRORS)


class WorkbookTable(Table):
    """One sheet of a workbook. Its first non-blank row is the header, unless that is certainly a title.

    A column whose cells are all numbers, dates or booleans keeps its type; any other column is text. Rows have the
    numbers that the sheet shows. `sheet` is the sheet's name, `part` its file in the zip (.xlsx and .xlsm only), and
    `first_column` the position of its first column (A: 0).
    """

    def __init__(self, opener: Opener, where: object, sheet: str | None = None) -> None:
        self.where = where
        try:
            with opener() as file:
                is_streamed = file.read(2) == b"PK" and is_open_xml(file)
            self._book = cast("_Book", OpenXmlBook(opener) if is_streamed else _WholeBook(opener))
            self._shown = [
                shown for shown in self._book.sheets if shown.is_visible and self._holds_rows(shown)
            ]
            self._sheet = self._find_sheet(sheet)
            found = self._look()
        except _FAILURES as error:
            raise self._failure(error) from None
        self.sheet = self._sheet.name
        self.part: str = getattr(self._sheet, "part", "")
        self.first_column, self._width, self._rows = found.first, len(found.kinds), found.rows
        self._titles = found.titles
        super().__init__(where, found.header, found.kinds)

    def __iter__(self) -> Iterator[TableRow]:
        columns = range(self.first_column, self.first_column + self._width)
        kinds = [column.kind for column in self.columns]
        rows = self._book.iter_rows(self._sheet)
        try:
            for number, cells in islice(rows, self._titles + 1, None):
                values = tuple(
                    as_kind(cells.get(column), kind) for column, kind in zip(columns, kinds, strict=True)
                )
                yield TableRow(number, values)
        except _FAILURES as error:
            raise self._failure(error) from None

    def count(self) -> int:
        """Return the number of rows, which was counted when the table was opened."""
        return self._rows

    @property
    def sheets(self) -> list[str]:
        """The visible, non-empty sheets."""
        return [shown.name for shown in self._shown]

    def links(self, column: int) -> dict[int, str]:
        """Return the link or picture addresses in a column, by row number."""
        try:
            return self._book.links(self._sheet, self.first_column + column)
        except _FAILURES as error:
            raise self._failure(error) from None

    def _holds_rows(self, sheet: "_Sheet") -> bool:
        return next(self._book.iter_rows(sheet), None) is not None

    def _find_sheet(self, wanted: str | None) -> "_Sheet":
        if wanted is None:
            if not self._shown:
                raise TableError("the table cannot be read (it is empty)", where=self.where)
            return self._shown[0]
        names = [sheet.name for sheet in self._book.sheets]
        if wanted not in names:
            fix = f"{did_you_mean(wanted, names)}There are {', '.join(names)}."
            raise TableError(f"the workbook has no sheet {wanted}", where=self.where, fix=fix)
        return self._book.sheets[names.index(wanted)]

    def _look(self) -> "_Found":
        """Read the sheet once to find which columns hold anything, and of what kind."""
        rows = self._book.iter_rows(self._sheet)
        begin = list(islice(rows, MOST_TITLES + 1))
        if not begin:
            raise TableError("the table cannot be read (it is empty)", where=self.where)
        titles = find_header([[render_value(cell) for cell in cells.values()] for _, cells in begin])
        header = begin[titles][1]
        rows = chain(begin[titles + 1 :], rows)
        kinds: dict[int, set[Kind]] = {column: set() for column in header}
        count = 0
        for count, (_, cells) in enumerate(rows, start=1):
            for column, cell in cells.items():
                kinds.setdefault(column, set()).add(kind_of(cell))
            if count * len(kinds) > MOST_CELLS:
                break
        first, last = min(kinds), max(kinds)
        columns = range(first, last + 1)
        if count * len(columns) > MOST_CELLS:
            problem = f"the table cannot be read (it has more than {MOST_CELLS:,} cells)"
            raise TableError(problem, where=self.where, fix="Save it as CSV.")
        names = [render_value(header.get(column, "")) for column in columns]
        return _Found(
            first, names, [common_kind(kinds.get(column, set())) for column in columns], count, titles
        )

    def _failure(self, error: Exception) -> TableError:
        fix = "Save it as CSV." if isinstance(error, TooLargeError) else f"hangtag reads {TABLES_READ}."
        return TableError(f"the table cannot be read ({error})", where=self.where, fix=fix)


class _Found(NamedTuple):
    first: int
    header: list[str]
    kinds: list[Kind]
    rows: int
    titles: int


class _Sheet(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_visible(self) -> bool: ...


class _Book(Protocol):
    @property
    def sheets(self) -> list[_Sheet]: ...

    def iter_rows(self, sheet: _Sheet) -> Iterator[tuple[int, Cells]]: ...

    def links(self, sheet: _Sheet, column: int) -> dict[int, str]: ...


class _WholeSheet(NamedTuple):
    name: str
    is_visible: bool


class _WholeBook:
    """A workbook that can only be opened whole. A sheet takes memory for every cell between its first and its last."""

    def __init__(self, opener: Opener) -> None:
        with opener() as file:
            self._workbook = CalamineWorkbook.from_filelike(file)
        self.sheets = [
            _WholeSheet(sheet.name, sheet.visible == SheetVisibleEnum.Visible)
            for sheet in self._workbook.sheets_metadata
        ]

    def iter_rows(self, sheet: _WholeSheet) -> Iterator[tuple[int, Cells]]:
        found = self._workbook.get_sheet_by_name(sheet.name)
        top, left = found.start or (0, 0)
        for number, row in enumerate(found.iter_rows(), start=top + 1):
            cells: Cells = {column: cell for column, cell in enumerate(row, start=left) if cell != ""}
            if cells:
                yield number, cells

    def links(self, _sheet: _WholeSheet, _column: int) -> dict[int, str]:
        return {}  # links in these formats are not read; docs/labelling.md says so
