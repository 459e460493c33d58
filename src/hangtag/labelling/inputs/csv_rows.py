"""A CSV that names photos, read line by line. All its values are text."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hangtag.catalogue.lines import iter_lines
from hangtag.domain.errors import CatalogueError
from hangtag.labelling.inputs.csv_records import CsvRecord, CsvRecords
from hangtag.labelling.inputs.given_rows import GivenColumn, GivenRow, broken_table, name_columns
from hangtag.labelling.layout import Kind

_DELIMITERS: Final = ",;\t|"
_QUOTED: Final = re.compile(r'(?:^|(?<=[,;\t|])) *"[^"]*"')


class CsvRows:
    """The rows of a CSV: commas, semicolons, tabs or bars, whichever its header has most of.

    UTF-8 or UTF-16 with a byte order mark; a line that is not UTF-8 is taken for Windows-1252. A row that is too long
    has its last values joined again, since a name may hold a comma that nobody quoted; one too short is filled up.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._delimiter = self._find_delimiter()
        header = next(self._iter_records(self._delimiter))
        self.columns = tuple(GivenColumn(name, Kind.TEXT) for name in name_columns(header.cells))

    def iter_rows(self) -> Iterator[GivenRow]:
        """Iterate the rows; their numbers are those of the lines on which they end."""
        width = len(self.columns)
        records = self._iter_records(self._delimiter)
        next(records)
        for number, cells, _ in records:
            if len(cells) > width:
                cells[width - 1 :] = [self._delimiter.join(cells[width - 1 :])]
            padding = (None,) * (width - len(cells))
            yield GivenRow(number, (*(cell or None for cell in cells), *padding))

    def count(self) -> int:
        """Count the rows."""
        return sum(1 for _ in self._iter_records(self._delimiter)) - 1

    def _find_delimiter(self) -> str:
        header = next(self._iter_records(_DELIMITERS), None)
        if header is None:
            raise broken_table(self._path, None, "it is empty")
        return max(_DELIMITERS, key=_QUOTED.sub("", header.text).count)

    def _iter_records(self, delimiters: str) -> Iterator[CsvRecord]:
        """Iterate the records, the header first."""
        number = 0
        try:
            with Path(self._path).open("rb") as file:
                for record in CsvRecords(iter_lines(file, where=self._path), delimiters):
                    number = record.number
                    yield record
        except (CatalogueError, OSError) as error:
            raise broken_table(self._path, number, error) from None
