"""Photos listed in a table: the column with their paths or addresses, and the others as extra columns."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hangtag.domain.errors import PhotoError, TableError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.domain.text import did_you_mean
from hangtag.labelling.inputs.photo import BrokenInput, FaultyPhoto, InputPhoto
from hangtag.labelling.inputs.reference import References, scheme_of
from hangtag.tables.cells import PHOTO_COLUMNS, TableRow, plain_name
from hangtag.tables.delimited import split_photos
from hangtag.tables.matching import has_photo_ending
from hangtag.tables.reading import HeadlessTable, Table, find_column, list_columns, peek
from hangtag.tables.reading import open_table as open_any_table
from hangtag.tables.values import MISSING
from hangtag.tables.vetting import vet_table

_ROWS_COMPARED: Final = 100
_SHEET_ERROR: Final = re.compile(r"#(?:REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|ERROR!)")
"""What a cell of a spreadsheet shows when its formula fails, besides #N/A."""


@dataclass
class TableWalk:
    """The photos of a table, row by row. `photo` is the position of the column that names them.

    Relative paths start from the table's folder. If a cell names several photos, the first is used and the cell is
    counted in `cells_with_several`. If a cell links to an address, the address is used. A row that names no photo
    is an entry with a reason, and so is the end of a table that cannot be read any further.
    """

    path: str
    table: Table
    photo: int
    references: References
    other_files: int = field(default=0, init=False)
    cells_with_several: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        self.cells_with_several = 0
        folder = os.path.dirname(self.path)  # noqa: PTH120 - joined to names millions of times
        names = self.table.names
        rows = iter(self.table)
        while True:
            try:
                row = next(rows, None)
            except TableError as damage:
                yield BrokenInput(self.path, PhotoError(Reason.UNREADABLE, damage.problem))
                return
            if row is None:
                return
            extra = dict(zip(names, row.values, strict=True))
            if text := self._reference(row, folder):
                yield from self.references.find_all(text, folder, extra)
            else:
                fault = PhotoError(Reason.NOT_NAMED)
                yield FaultyPhoto(f"{self.path}:{row.number}", fault, extra=extra)

    def count(self) -> int | None:
        """Count the rows; None if they cannot be read to the end."""
        try:
            return self.table.count()
        except TableError:
            return None

    @property
    def notes(self) -> list[str]:
        """Remarks on the rows walked so far."""
        several = self.cells_with_several
        cells = "1 cell names" if several == 1 else f"{several:,} cells name"
        more = [f"{self.path}: {cells} several photos; the first of each is labelled"] if several else []
        return [*self.table.notes, *more]

    def _reference(self, row: TableRow, folder: str) -> str:
        """Return the path or address in a row; empty if it names none."""
        value = row.values[self.photo]
        text = "" if value is None else str(value).strip()
        if not has_photo_ending(text) and scheme_of(text) is None:
            text = self._links.get(row.number, text)
        photos = split_photos(text)
        if os.path.exists(os.path.join(folder, text)):  # noqa: PTH110, PTH118 - as above
            return text
        if text in MISSING or _SHEET_ERROR.fullmatch(text):
            return ""
        if photos in ([], [text]):
            return text
        self.cells_with_several += len(photos) > 1
        return photos[0]

    @property
    def _links(self) -> dict[int, str]:
        if self._found_links is None:
            self._found_links = self.table.links(self.photo)
        return self._found_links

    _found_links: dict[int, str] | None = field(default=None, init=False, repr=False)


def open_table(path: str, references: References) -> TableWalk:
    """Open a table that names photos.

    Raises `TableError` if it cannot be read, and `UsageError` if no column names photos.
    """
    vet_table(Path(path), path)
    table = open_any_table(path)
    wanted = references.settings.photo_column
    if wanted is None and any(map(has_photo_ending, table.header)):
        table = HeadlessTable(table)
        rows = peek(table, _ROWS_COMPARED)
        photo = max(range(len(table.names)), key=lambda position: _count_photos(rows, position))
    else:
        photo = find_photo_column(table, wanted)
    if table.holds_bytes(photo):
        problem = f"the column {table.names[photo]} holds the photos themselves, not their names"
        raise UsageError(problem, where=path, fix="Write the photos to files, and label their folder.")
    return TableWalk(path, table, photo, references)


def find_photo_column(table: Table, wanted: str | None) -> int:
    """Return the position of the photo column: the wanted one, or the likeliest by its name.

    If several have the same name, it is the one with most photos in the first hundred rows. Raises `UsageError`,
    listing the columns, if there is none.
    """
    names = table.names
    if wanted is not None:
        found = find_column(wanted, names)
        if found is None:
            fix = f"{did_you_mean(wanted, names)}{list_columns(names)}"
            raise UsageError(f"the table has no column {wanted!r}", where=table.where, fix=fix)
        return found
    written = list(map(plain_name, names))
    likely = [written.index(usual) for usual in PHOTO_COLUMNS if usual in written]
    if len(likely) == 1:
        return likely[0]
    rows = peek(table, _ROWS_COMPARED)
    if likely:
        return max(likely, key=lambda position: _count_photos(rows, position))
    hint = next((name for place, name in enumerate(names) if _count_photos(rows, place)), None)
    which = "which one it is" if hint is None else f"which one it is, perhaps {hint},"
    raise UsageError(
        "the table has no column that looks like photo paths or addresses",
        where=table.where,
        fix=f"Say {which} with `photo_column`. {list_columns(names)}",
    )


def _count_photos(rows: Sequence[TableRow], position: int) -> int:
    """Score how many cells of a column name photos: a photo's ending counts twice as much as just an address."""
    texts = [str(row.values[position] or "").strip() for row in rows]
    named = [has_photo_ending((split_photos(text) or [""])[0]) if text else False for text in texts]
    return sum(
        2 if is_named else scheme_of(text) is not None for text, is_named in zip(texts, named, strict=True)
    )
