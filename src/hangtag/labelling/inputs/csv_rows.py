"""A CSV that names photos, read line by line. All its values are text."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from hangtag.domain.errors import CatalogueError
from hangtag.labelling.inputs.csv_records import CsvRecord, CsvRecords
from hangtag.labelling.inputs.given_rows import GivenColumn, GivenRow, broken_table, name_columns
from hangtag.labelling.layout import Kind
from hangtag.tables.lines import iter_lines

_DELIMITERS: Final = ",;\t|"
_QUOTED: Final = re.compile(r'(?:^|(?<=[,;\t|])) *"[^"]*"')
_STATED: Final = re.compile(r"sep=(.)")
"""The first line by which Excel states the delimiter."""


class CsvRows:
    """The rows of a CSV.

    One that is too long has its last values joined again, since a name may hold a comma that nobody quoted; one too
    short is filled up.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            delimiter = find_delimiter(path)
        except (CatalogueError, OSError) as error:
            raise broken_table(path, 0, error) from None
        if delimiter is None:
            raise broken_table(path, None, "it is empty")
        self._delimiter = delimiter
        header = next(self._iter_records())
        self.columns = tuple(GivenColumn(name, Kind.TEXT) for name in name_columns(header.cells))

    def iter_rows(self) -> Iterator[GivenRow]:
        """Iterate the rows; their numbers are those of the lines on which they end."""
        width = len(self.columns)
        records = self._iter_records()
        next(records)
        for number, cells, _ in records:
            if len(cells) > width:
                cells[width - 1 :] = [self._delimiter.join(cells[width - 1 :])]
            padding = (None,) * (width - len(cells))
            yield GivenRow(number, (*(cell or None for cell in cells), *padding))

    def count(self) -> int:
        """Count the rows."""
        return sum(1 for _ in self._iter_records()) - 1

    def _iter_records(self) -> Iterator[CsvRecord]:
        """Iterate the records, the header first."""
        number = 0
        try:
            for record in iter_records(self._path, self._delimiter):
                number = record.number
                yield record
        except (CatalogueError, OSError) as error:
            raise broken_table(self._path, number, error) from None


def find_delimiter(path: str | Path) -> str | None:
    """Return what parts the cells of a CSV, None of an empty one.

    It is what Excel's first line `sep=;` says, or else whichever of comma, semicolon, tab and bar the header has most
    of. Raises as `iter_records` does.
    """
    with Path(path).open("rb") as file:
        first = next(iter_lines(file, where=path), None)
    if first is not None and (stated := _STATED.fullmatch(first.text)):
        return stated[1]
    header = next(iter_records(path, _DELIMITERS), None)
    if header is None:
        return None
    return max(_DELIMITERS, key=_QUOTED.sub("", header.text).count)


def iter_records(path: str | Path, delimiters: str) -> Iterator[CsvRecord]:
    """Iterate the records of a CSV that are not blank, the header first; a line that states the delimiter is none.

    UTF-8 or UTF-16 with a byte order mark; a line that is not UTF-8 is taken for Windows-1252. Raises `OSError` and
    `CatalogueError` where the file cannot be read on.
    """
    with Path(path).open("rb") as file:
        lines = iter_lines(file, where=path)
        first = next(lines, None)
        if first is not None and not _STATED.fullmatch(first.text):
            lines = chain([first], lines)
        yield from CsvRecords(lines, delimiters)
