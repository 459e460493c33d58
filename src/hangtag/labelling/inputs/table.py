"""Photos that a table names: the column of their paths or addresses, and its other values as extra columns."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.labelling.inputs.folder import ends_like_photo
from hangtag.labelling.inputs.given_rows import GivenRows
from hangtag.labelling.inputs.photo import BrokenInput, FaultyPhoto, InputPhoto
from hangtag.labelling.inputs.reference import References

PHOTO_COLUMNS: Final = (
    "path", "filepath", "photopath", "imagepath", "file", "filename", "photo", "photofile", "image", "imagefile",
    "imagename", "img", "picture", "photourl", "imageurl", "imagelink", "imagesrc", "url", "uri", "src", "link",
)  # fmt: skip
"""The names that tell the column of photos, the likeliest first; case, spaces and signs do not matter."""

_SHOWN_COLUMNS: Final = 20


@dataclass
class TableWalk:
    """The photos of a table, row by row. `photo` is the position of the column that names them.

    Relative paths start from the table's folder. A row that names no photo is an entry with a reason, and so is a table
    that cannot be read to its end, after the rows before.
    """

    path: str
    rows: GivenRows
    photo: int
    references: References
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        folder = os.path.dirname(self.path)  # noqa: PTH120 - joined to names millions of times
        names = [column.name for column in self.rows.columns]
        rows = self.rows.iter_rows()
        while True:
            try:
                row = next(rows, None)
            except UsageError as damage:
                yield BrokenInput(self.path, PhotoError(Reason.UNREADABLE, damage.problem))
                return
            if row is None:
                return
            extra = dict(zip(names, row.values, strict=True))
            named = row.values[self.photo]
            text = "" if named is None else str(named).strip()
            if text:
                yield self.references.find(text, folder, extra)
            else:
                fault = PhotoError(Reason.NOT_NAMED)
                yield FaultyPhoto(f"{self.path}:{row.number}", fault, extra=extra)

    def count(self) -> int | None:
        """Count the rows, None where they cannot be read to the end."""
        try:
            return self.rows.count()
        except UsageError:
            return None


def open_table(path: str, references: References) -> TableWalk:
    """Open a table that names photos, told by its ending.

    Raises `UsageError` when it cannot be read, and when no column names photos.
    """
    rows = _READERS[os.path.splitext(path)[1].lower()](path)  # noqa: PTH122 - as above
    photo = find_photo_column(rows, references.settings.photo_column, path)
    return TableWalk(path, rows, photo, references)


def find_photo_column(rows: GivenRows, wanted: str | None, where: str) -> int:
    """Return the position of the column that names the photos: the wanted one, or the likeliest by its name.

    Of several that are called so, it is the first whose value in the first row ends like a photo. Raises `UsageError`
    when there is none, naming those that there are.
    """
    names = [column.name for column in rows.columns]
    if wanted is not None:
        if wanted in names:
            return names.index(wanted)
        raise UsageError(f"the table has no column {wanted!r}", where=where, fix=_list_columns(names))
    written = [re.sub(r"[\W_]", "", name).casefold() for name in names]
    likely = [written.index(usual) for usual in PHOTO_COLUMNS if usual in written]
    if not likely:
        raise UsageError(
            "no column of the table is called like one of paths or addresses of photos",
            where=where,
            fix=f"Say which one it is with --photo-column. {_list_columns(names)}",
        )
    first = next(rows.iter_rows(), None) if len(likely) > 1 else None
    return next((one for one in likely if first and ends_like_photo(first.values[one])), likely[0])


def _list_columns(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    return f"Its columns are {', '.join(names[:_SHOWN_COLUMNS])}{more}."


def _open_csv(path: str) -> GivenRows:
    from hangtag.labelling.inputs.csv_rows import CsvRows  # noqa: PLC0415 - only the format that is given is imported

    return CsvRows(path)


def _open_parquet(path: str) -> GivenRows:
    from hangtag.labelling.inputs.parquet_rows import ParquetRows  # noqa: PLC0415 - as above

    return ParquetRows(path)


def _open_workbook(path: str) -> GivenRows:
    from hangtag.labelling.inputs.workbook_rows import WorkbookRows  # noqa: PLC0415 - as above

    return WorkbookRows(path)


_READERS: Final[dict[str, Callable[[str], GivenRows]]] = {
    ".csv": _open_csv,
    ".tsv": _open_csv,
    ".xlsx": _open_workbook,
    ".xlsm": _open_workbook,
    ".parquet": _open_parquet,
}

TABLE_ENDINGS: Final = tuple(_READERS)
"""The file name endings that a table is told by."""
