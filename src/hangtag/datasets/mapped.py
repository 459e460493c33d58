"""A catalogue with any columns, and the small TOML file that gives its columns or folders their meaning."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from hangtag.datasets.folder import PhotoFolder, count_endings
from hangtag.datasets.interface import KeepsNothingOpen
from hangtag.datasets.splits import GIVEN_COLUMN, PRODUCT_GROUP_COLUMN
from hangtag.domain.columns import CATEGORY_COLUMNS, ID, LABEL_COLUMNS, NAME, YEAR
from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason
from hangtag.domain.text import did_you_mean
from hangtag.tables.delimited import split_photos
from hangtag.tables.matching import NameMatcher, is_photo_name, product_id
from hangtag.tables.reading import iter_text_rows, open_table
from hangtag.tables.tables import stream_table
from hangtag.tables.values import MISSING, drop_invisible, single_spaced

MAPPING_NAME: Final = "catalogue.toml"
FIELDS: Final = (
    "photos",
    "table",
    "separator",
    "id",
    "photo",
    "group",
    "levels",
    "columns",
    "folders",
    "licence",
    "attribution",
)
COLUMNS: Final = (*LABEL_COLUMNS, YEAR, NAME, GIVEN_COLUMN)
"""The columns of hangtag that a mapping may fill, besides the id."""


@dataclass(frozen=True, slots=True)
class CatalogueMapping:
    """The meaning of a catalogue's table or of its folders.

    - `photos`: the folder of the photos
    - `table`: a table in any supported format; `separator` separates the fields of a CSV, None to detect it
    - `id`, `photo`: the table's columns of ids and of file names; one of them may be None
    - `group`: the table's column whose values a split keeps on one side, such as a SKU with several photos
    - `columns`: hangtag's column -> the table's column
    - `folders`: if there is no table, what the folders around a photo mean, the outermost first
    - `licence`, `attribution`: the photos' licence and whom to credit; a model's card repeats them
    """

    photos: Path
    table: Path | None = None
    separator: str | None = None
    id: str | None = None
    photo: str | None = None
    group: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    licence: str = ""
    attribution: str = ""


def read_mapping(path: Path) -> CatalogueMapping:
    """Read a mapping. Its paths are relative to its own folder.

    Raises `CatalogueError` naming the field if it is not a mapping, or contradicts itself.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CatalogueError(f"the file cannot be read ({error.strerror})", where=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"this is not valid TOML ({error})", where=path) from error
    fields = _Fields(path, said)
    mapping = _read_folders(fields) if "table" not in said else _read_table(fields)
    return replace(
        mapping, licence=fields.text("licence") or "", attribution=fields.text("attribution") or ""
    )


class _Fields:
    """The fields of one file, read strictly."""

    def __init__(self, path: Path, said: Mapping[str, Any]) -> None:
        self._path = path
        self._said = said
        for name in said:
            self.need_one_of(name, FIELDS, name)
        if "photos" not in said:
            raise self.error("photos", "the folder of photos is missing")

    def error(self, name: str, problem: str, fix: str | None = None) -> CatalogueError:
        return CatalogueError(problem, where=f"{self._path}: {name}", fix=fix)

    def need_one_of(self, word: str, words: Iterable[str], name: str) -> None:
        if word not in words:
            fix = f"{did_you_mean(word, words)}There are {', '.join(words)}."
            raise self.error(name, f"{word} is not a key of this file", fix)

    def refuse(self, names: Iterable[str], problem: str) -> None:
        for name in names:
            if name in self._said:
                raise self.error(name, problem)

    def path(self, name: str) -> Path:
        return self._path.parent / (self.text(name) or "")

    def text(self, name: str) -> str | None:
        value = self._said.get(name)
        if value is not None and not (isinstance(value, str) and value):
            raise self.error(name, "it must be a text in quotes")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._said.get(name, [])
        if not (isinstance(values, list) and all(isinstance(text, str) and text for text in values)):
            raise self.error(name, "it must be a list of texts in quotes")
        if len(set(values)) < len(values):
            raise self.error(name, "a value is repeated")
        return tuple(values)

    def columns(self) -> dict[str, str]:
        columns = self._said.get("columns", {})
        if not isinstance(columns, dict):
            raise self.error("columns", "it must be a table: [columns]")
        for column, named in columns.items():
            self.need_one_of(column, COLUMNS, f"columns.{column}")
            if not (isinstance(named, str) and named):
                raise self.error(
                    f"columns.{column}", "it must be the name of a column of the table, in quotes"
                )
        return columns


def _read_folders(fields: _Fields) -> CatalogueMapping:
    fields.refuse(
        ("id", "photo", "group", "levels", "columns", "separator"),
        "this needs a table, but none is given",
    )
    folders = fields.texts("folders")
    if not folders:
        raise fields.error("table", "either a table (a CSV) or folders must be given")
    for column in folders:
        fields.need_one_of(column, COLUMNS, "folders")
    return CatalogueMapping(fields.path("photos"), folders=folders)


def _read_table(fields: _Fields) -> CatalogueMapping:
    fields.refuse(["folders"], "this is meant for photos without a table")
    mapping = CatalogueMapping(
        photos=fields.path("photos"),
        table=fields.path("table"),
        separator=fields.text("separator"),
        id=fields.text("id"),
        photo=fields.text("photo"),
        group=fields.text("group"),
        columns=_read_columns(fields),
    )
    if mapping.id is None and mapping.photo is None:
        raise fields.error(
            "photo", "either the column of file names (photo) or the column of ids (id) must be given"
        )
    if mapping.separator is not None and len(mapping.separator) != 1:
        raise fields.error("separator", "it must be one character")
    sources = [name for name in (mapping.id, mapping.photo, *mapping.columns.values()) if name is not None]
    twice = next((name for name in sources if sources.count(name) > 1), None)
    if twice is not None:
        raise fields.error("columns", f"the column {twice} of the table is named twice")
    return mapping


def _read_columns(fields: _Fields) -> dict[str, str]:
    """Return the columns, including those of the category path, in whichever way they are given."""
    columns, levels = fields.columns(), fields.texts("levels")
    if len(levels) > len(CATEGORY_COLUMNS):
        raise fields.error("levels", f"there are {len(levels)}, but hangtag has only {len(CATEGORY_COLUMNS)}")
    category = dict(zip(CATEGORY_COLUMNS[len(CATEGORY_COLUMNS) - len(levels) :], levels, strict=True))
    for column in category:
        if column in columns:
            raise fields.error(f"columns.{column}", "`levels` already names it")
    if not set(LABEL_COLUMNS).intersection(category | columns):
        raise fields.error(
            "columns", "no column of labels is given", f"There are {', '.join(LABEL_COLUMNS)}."
        )
    return category | columns


RESERVED: Final = frozenset((ID, "photo", "group", "note", PRODUCT_GROUP_COLUMN))
"""Columns that hangtag fills itself. A column of the table with such a name gets an underscore."""

Row = Sequence[str]


class MappedCatalogue(KeepsNothingOpen):
    """Any table as a catalogue. All its columns are kept; mapped columns get hangtag's names.

    Without an id column, the id is the photo's path without its extension. With one, photos are named by id, and photos
    without a row keep their path, prefixed by the name of the photo folder.
    """

    def __init__(self, name: str, mapping: CatalogueMapping) -> None:
        self.name = name
        self.stated_source = (mapping.licence, mapping.attribution)
        self._mapping = mapping
        self._photos = PhotoFolder(mapping.photos, deep=True)
        self.photo_folders = (mapping.photos,)

    def open_table(self) -> BinaryIO:
        """Return the table with hangtag's column names. Raises `CatalogueError` if it lacks a column of the mapping."""
        rows = self._iter_rows()
        header = next(rows)
        photo_place = self._place(header, self._mapping.photo)
        names = self._rename(header)
        if self._mapping.id is not None:
            return stream_table(names, rows)
        own = ([_id_from_path(_value(row, photo_place)), *row] if row else [] for row in rows)
        return stream_table([ID, *names], own)

    def photo_names(self) -> frozenset[str]:
        """Return the names of all photos. Raises `CatalogueError` if there is no folder of them."""
        return frozenset(self._files)

    def other_files(self) -> Mapping[str, int]:
        """Count the files in the photo folder that do not have a photo's extension, by extension."""
        return count_endings(self._photos.other_files)

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo. Raises `PhotoError`."""
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
        """Return the file of each id in the table. Of several rows, or several photos in a cell, the first counts."""
        rows = self._iter_rows()
        header = next(rows)
        places = [self._place(header, name) for name in (self._mapping.id, self._mapping.photo)]
        written: dict[str, str] = {}
        for row in rows:
            id_, photo = (_value(row, place) for place in places)
            written.setdefault(id_, photo)
        first = {photo: next(iter(split_photos(photo)), "") for photo in written.values()}
        matches = NameMatcher(files).match_all([*written.values(), *first.values()])
        found = (
            (id_, matches[photo].photos or matches[first[photo]].photos)
            for id_, photo in written.items()
            if id_
        )
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
        """Return the position of a column; 0 if the mapping names none."""
        names = [_tidy(name) for name in header]
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
    """Return the id for a photo's path, with or without its extension."""
    if not path:
        return ""
    tidy = str(PurePosixPath(path.replace("\\", "/")))
    return product_id(tidy) if is_photo_name(tidy) else tidy


def _value(row: Row, place: int) -> str:
    """Return a value, tidied as in a cleaned table; empty if it is missing."""
    value = _tidy(row[place]) if place < len(row) else ""
    return "" if value in MISSING else value


def _tidy(text: str) -> str:
    return single_spaced(drop_invisible(text))
