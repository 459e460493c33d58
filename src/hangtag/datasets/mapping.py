"""The small TOML file that says what another catalogue's columns or folders mean."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from hangtag.datasets.splits import GIVEN_COLUMN
from hangtag.domain.columns import CATEGORY_COLUMNS, LABEL_COLUMNS, NAME, YEAR
from hangtag.domain.errors import CatalogueError
from hangtag.domain.text import did_you_mean

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
    """What a catalogue's table, or its folders, mean.

    - `photos`: the folder of the photos
    - `table`: a table of any form that hangtag reads; `separator` separates the fields of a CSV, None to find out
    - `id`, `photo`: the table's columns of ids and of file names; one of them may be None
    - `group`: the table's column whose values a split keeps on one side, such as a SKU with several photos
    - `columns`: hangtag's column -> the table's column
    - `folders`: where there is no table, what the folders around a photo name, the outermost first
    - `licence`, `attribution`: what may be done with the photos, and whom to credit; a model's card repeats it
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
    """Read a mapping, whose paths are sought from its own folder.

    Raises `CatalogueError` that names the field when it is not a mapping, or contradicts itself.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CatalogueError(f"the file cannot be read ({error.strerror})", where=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"it is no TOML ({error})", where=path) from error
    fields = _Fields(path, said)
    mapping = _read_folders(fields) if "table" not in said else _read_table(fields)
    return replace(
        mapping, licence=fields.text("licence") or "", attribution=fields.text("attribution") or ""
    )


class _Fields:
    """The fields of one file, each read strictly."""

    def __init__(self, path: Path, said: Mapping[str, Any]) -> None:
        self._path = path
        self._said = said
        for name in said:
            self.need_one_of(name, FIELDS, name)
        if "photos" not in said:
            raise self.error("photos", "the folder of the photos is lacking")

    def error(self, name: str, problem: str, fix: str | None = None) -> CatalogueError:
        return CatalogueError(problem, where=f"{self._path}: {name}", fix=fix)

    def need_one_of(self, word: str, words: Iterable[str], name: str) -> None:
        if word not in words:
            fix = f"{did_you_mean(word, words)}There are {', '.join(words)}."
            raise self.error(name, f"{word} is none of those known here", fix)

    def refuse(self, names: Iterable[str], problem: str) -> None:
        for name in names:
            if name in self._said:
                raise self.error(name, problem)

    def path(self, name: str) -> Path:
        return self._path.parent / (self.text(name) or "")

    def text(self, name: str) -> str | None:
        value = self._said.get(name)
        if value is not None and not (isinstance(value, str) and value):
            raise self.error(name, "this is a text in quotes")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._said.get(name, [])
        if not (isinstance(values, list) and all(isinstance(text, str) and text for text in values)):
            raise self.error(name, "this is a list of texts in quotes")
        if len(set(values)) < len(values):
            raise self.error(name, "one comes twice")
        return tuple(values)

    def columns(self) -> dict[str, str]:
        columns = self._said.get("columns", {})
        if not isinstance(columns, dict):
            raise self.error("columns", "this is a table: [columns]")
        for column, named in columns.items():
            self.need_one_of(column, COLUMNS, f"columns.{column}")
            if not (isinstance(named, str) and named):
                raise self.error(f"columns.{column}", "this is the name of a column of the table, in quotes")
        return columns


def _read_folders(fields: _Fields) -> CatalogueMapping:
    fields.refuse(
        ("id", "photo", "group", "levels", "columns", "separator"),
        "this speaks of a table, and none is named",
    )
    folders = fields.texts("folders")
    if not folders:
        raise fields.error("table", "either a table (a CSV) or folders must be named")
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
            "photo", "the column of the photos' file names must be named, or an id that they bear"
        )
    if mapping.separator is not None and len(mapping.separator) != 1:
        raise fields.error("separator", "this is one character")
    sources = [name for name in (mapping.id, mapping.photo, *mapping.columns.values()) if name is not None]
    twice = next((name for name in sources if sources.count(name) > 1), None)
    if twice is not None:
        raise fields.error("columns", f"the column {twice} of the table is named twice")
    return mapping


def _read_columns(fields: _Fields) -> dict[str, str]:
    """Return the columns, those of the category path among them, whichever way they are given."""
    columns, levels = fields.columns(), fields.texts("levels")
    if len(levels) > len(CATEGORY_COLUMNS):
        raise fields.error("levels", f"there are {len(levels)}, and hangtag knows {len(CATEGORY_COLUMNS)}")
    category = dict(zip(CATEGORY_COLUMNS[len(CATEGORY_COLUMNS) - len(levels) :], levels, strict=True))
    for column in category:
        if column in columns:
            raise fields.error(f"columns.{column}", "levels names it already")
    if not set(LABEL_COLUMNS).intersection(category | columns):
        raise fields.error(
            "columns", "no column of labels is named", f"There are {', '.join(LABEL_COLUMNS)}."
        )
    return category | columns
