"""A catalogue whose table is any CSV, with a mapping that says what its columns mean."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from hangtag.datasets.folder import PhotoFolder, count_endings
from hangtag.datasets.interface import KeepsNothingOpen
from hangtag.datasets.mapping import CatalogueMapping
from hangtag.datasets.splits import PRODUCT_GROUP_COLUMN
from hangtag.domain.columns import ID
from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason
from hangtag.domain.text import did_you_mean
from hangtag.tables.matching import NameMatcher, is_photo_name, product_id
from hangtag.tables.reading import iter_text_rows, open_table
from hangtag.tables.tables import stream_table
from hangtag.tables.values import MISSING, drop_invisible, single_spaced

RESERVED: Final = frozenset((ID, "photo", "group", "note", PRODUCT_GROUP_COLUMN))
"""Columns that hangtag fills itself; one of the table's own that is called so gets an underscore."""

Row = Sequence[str]


class MappedCatalogue(KeepsNothingOpen):
    """Any CSV as a catalogue. All its columns are kept, those that the mapping names under hangtag's names.

    Without a column of ids, the path of a photo without its ending is the id. With one, a photo is called by its id,
    whatever its file is called, and photos that no row names keep their path, the photo folder's name in front.
    """

    def __init__(self, name: str, mapping: CatalogueMapping) -> None:
        self.name = name
        self.stated_source = (mapping.licence, mapping.attribution)
        self._mapping = mapping
        self._photos = PhotoFolder(mapping.photos, deep=True)

    def open_table(self) -> BinaryIO:
        """Return the table under hangtag's names; raises `CatalogueError` when it lacks a column of the mapping."""
        rows = self._iter_rows()
        header = next(rows)
        photo_place = self._place(header, self._mapping.photo)
        names = self._rename(header)
        if self._mapping.id is not None:
            return stream_table(names, rows)
        own = ([_id_from_path(_value(row, photo_place)), *row] if row else [] for row in rows)
        return stream_table([ID, *names], own)

    def photo_names(self) -> frozenset[str]:
        """Return the names of all photos; raises `CatalogueError` when there is no folder of them."""
        return frozenset(self._files)

    def other_files(self) -> Mapping[str, int]:
        """Count the files in the photo folder that do not end like a photo, by their ending."""
        return count_endings(self._photos.other_files)

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo; raises `PhotoError`."""
        if name not in self._files:
            raise PhotoError(Reason.NOT_FOUND)
        return self._photos.read(self._files[name])

    @cached_property
    def _files(self) -> dict[str, str]:
        """The file of each photo, by the photo's name."""
        files = self._photos.names
        if self._mapping.id is None or self._mapping.photo is None:
            return {name: name for name in files}
        by_id = self._files_by_id(sorted(files))
        listed = {f"{id_}{PurePosixPath(file).suffix}": file for id_, file in by_id.items()}
        folder = self._mapping.photos.resolve().name
        return {f"{folder}/{file}": file for file in files.difference(by_id.values())} | listed

    def _files_by_id(self, files: Sequence[str]) -> dict[str, str]:
        """Return the file of each id in the table. Of several rows with one id the first counts."""
        rows = self._iter_rows()
        header = next(rows)
        places = [self._place(header, name) for name in (self._mapping.id, self._mapping.photo)]
        written: dict[str, str] = {}
        for row in rows:
            id_, photo = (_value(row, place) for place in places)
            written.setdefault(id_, photo)
        matches = NameMatcher(files).match_all(written.values())
        found = ((id_, matches[photo].photos) for id_, photo in written.items() if id_)
        return {id_: files[photos[0]] for id_, photos in found if photos}

    def _iter_rows(self) -> Iterator[Row]:
        """Iterate the table's header and rows; a blank line is a row without values."""
        table = self._mapping.table
        if table is None or not table.is_file():
            raise CatalogueError("there is no such table", where=table)
        opened = open_table(table, delimiter=self._mapping.separator)
        yield opened.header
        line = 2
        for number, cells in iter_text_rows(opened):
            yield from [[]] * (number - line)  # so that every row keeps its number
            yield cells
            line = number + 1 + sum(cell.count("\n") for cell in cells)

    def _place(self, header: Row, name: str | None) -> int:
        """Return the position of a column; 0 where the mapping names none."""
        names = [_tidy(one) for one in header]
        if name is not None and name not in names:
            fix = f"{did_you_mean(name, names)}Its columns are {', '.join(names)}."
            raise CatalogueError(f"the table has no column {name}", where=self._mapping.table, fix=fix)
        return 0 if name is None else names.index(name)

    def _rename(self, header: Row) -> list[str]:
        renamed = {self._place(header, named): column for column, named in self._mapping.columns.items()}
        if self._mapping.group is not None:
            renamed.setdefault(self._place(header, self._mapping.group), PRODUCT_GROUP_COLUMN)
        if self._mapping.id is not None:
            renamed[self._place(header, self._mapping.id)] = ID
        taken = RESERVED.union(renamed.values())
        names = []
        for place, own in enumerate(header):
            name = _tidy(own) or f"column_{place + 1}"
            while place not in renamed and name in taken:
                name += "_"
            names.append(renamed.get(place, name))
        return names


def _id_from_path(path: str) -> str:
    """Return the id that a photo's path gives, whether its ending is written or not."""
    if not path:
        return ""
    tidy = str(PurePosixPath(path.replace("\\", "/")))
    return product_id(tidy) if is_photo_name(tidy) else tidy


def _value(row: Row, place: int) -> str:
    """Return a value, tidied as in a cleaned table; an empty one where it is missing."""
    value = _tidy(row[place]) if place < len(row) else ""
    return "" if value in MISSING else value


def _tidy(text: str) -> str:
    return single_spaced(drop_invisible(text))
