"""A CSV that names photos, read line by line. All its values are text."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hangtag.catalogue.lines import iter_lines
from hangtag.domain.errors import CatalogueError
from hangtag.labelling.inputs.given_rows import GivenColumn, GivenRow, broken_table, name_columns
from hangtag.labelling.layout import Kind

_DELIMITERS: Final = (",", ";", "\t", "|")


class CsvRows:
    """The rows of a CSV: commas, semicolons, tabs or bars, whichever its header has most of.

    UTF-8 or UTF-16 with a byte order mark; a line that is not UTF-8 is taken for Windows-1252. A row that is too long
    has its last values joined again, since a name may hold a comma that nobody quoted; one too short is filled up.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._delimiter = ","
        header = next(self._iter_cells(), None)
        if header is None:
            raise broken_table(path, None, "it is empty")
        self._delimiter = max(_DELIMITERS, key=self._delimiter.join(header[1]).count)
        _, cells = next(self._iter_cells())
        self.columns = tuple(GivenColumn(name, Kind.TEXT) for name in name_columns(cells))

    def iter_rows(self) -> Iterator[GivenRow]:
        """Iterate the rows; their numbers are those of the lines on which they end."""
        width = len(self.columns)
        cells_of_rows = self._iter_cells()
        next(cells_of_rows)
        for number, cells in cells_of_rows:
            if len(cells) > width:
                cells[width - 1 :] = [self._delimiter.join(cells[width - 1 :])]
            padding = (None,) * (width - len(cells))
            yield GivenRow(number, (*(cell or None for cell in cells), *padding))

    def count(self) -> int:
        """Count the rows."""
        return sum(1 for _ in self._iter_cells()) - 1

    def _iter_cells(self) -> Iterator[tuple[int, list[str]]]:
        """Iterate rows that are not blank, the header first."""
        number = 0
        try:
            with Path(self._path).open("rb") as file:
                lines = (f"{line.text}\n" for line in iter_lines(file, where=self._path))
                reader = csv.reader(lines, delimiter=self._delimiter)
                for cells in reader:
                    number = reader.line_num
                    if any(cell.strip() for cell in cells):
                        yield number, cells
        except (csv.Error, CatalogueError, OSError) as error:
            raise broken_table(self._path, number, error) from None
