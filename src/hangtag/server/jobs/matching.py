"""Which row of a table names which photo."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from hangtag.imaging.decode import PHOTO_SUFFIXES
from hangtag.server.jobs.given_table import GivenTable
from hangtag.server.problems import InvalidRequestError
from hangtag.server.schemas import InvalidValue

COLUMN_FIELD: Final = "photo_column"
"""The field of the form that says which column names the photos."""

_RIVAL: Final = 0.5
"""A second column that names this share of what the best one names could be the one that was meant."""

_SHOWN_COLUMNS: Final = 20


@dataclass(frozen=True, slots=True)
class Matching:
    """The column that names the photos, and for each row of the table the indices of those that it names."""

    table: GivenTable
    column: int
    rows: list[tuple[int, ...]]


class PhotoNames:
    """The names of photos, to be found by how a table writes them.

    A table may write a path, a file's name, or a name without its ending (an id). Capital letters do not matter.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._paths: dict[str, list[int]] = defaultdict(list)
        self._files: dict[str, list[int]] = defaultdict(list)
        self._stems: dict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(names):
            path = PurePosixPath(_normalise(name))
            self._paths[str(path)].append(index)
            self._files[path.name].append(index)
            self._stems[path.stem].append(index)

    def find_file(self, value: str) -> tuple[int, ...]:
        """Return the photos with this path or, if there is none, this file name."""
        path = _normalise(value)
        file = path.rpartition("/")[2]
        found = _lookup(self._paths, path) or _lookup(self._files, file)
        return found or _lookup(self._files, file.partition("?")[0])

    def find(self, value: str) -> tuple[int, ...]:
        """Return the photos that `find_file` finds or, for a value without a photo's ending, by that name."""
        found = self.find_file(value)
        file = PurePosixPath(_normalise(value)).name
        if found or PurePosixPath(file).suffix in PHOTO_SUFFIXES:
            return found
        return _lookup(self._stems, file)


def match_rows(table: GivenTable, names: Sequence[str], column: str | None = None) -> Matching:
    """Find the column that names the photos, unless it is given, and the photos of each row.

    Raises `InvalidRequestError` when there is no such column, or several that name different photos.
    """
    photos = PhotoNames(names)
    if column not in table.header and any(photos.find_file(cell) for cell in table.header):
        table = table.without_header()
    if column is not None:
        if column not in table.header:
            raise _invalid(f"the table has no column {column!r}; {_list_columns(table)}", COLUMN_FIELD)
        return _match(table, photos, table.header.index(column))
    return _choose([_match(table, photos, position) for position in _find_columns(table, photos)], table)


def _find_columns(table: GivenTable, photos: PhotoNames) -> list[int]:
    """Return the columns that hold names of files or, if there are none, those that hold names without endings."""
    columns = range(len(table.header))
    files = [one for one in columns if any(map(photos.find_file, table.whole_numbers(one)))]
    return files or [one for one in columns if any(map(photos.find, table.whole_numbers(one)))]


def _match(table: GivenTable, photos: PhotoNames, column: int) -> Matching:
    return Matching(table, column, [photos.find(text) for text in table.whole_numbers(column)])


def _choose(found: list[Matching], table: GivenTable) -> Matching:
    if not found:
        raise _invalid(f"no column of {table.name} names the photos; {_list_columns(table)}")
    best = max(found, key=_count_named)
    enough = _RIVAL * _count_named(best)
    rivals = [one for one in found if _count_named(one) >= enough and one.rows != best.rows]
    if any(_contradict(best, rival) for rival in rivals):
        choices = list(dict.fromkeys(table.header[one.column] for one in [best, *rivals]))
        columns = " and ".join(map(repr, choices))
        problem = f"the columns {columns} of {table.name} name different photos; {_list_columns(table)}"
        message = f"{problem}. Say in the field {COLUMN_FIELD} which one it is"
        raise InvalidRequestError(InvalidValue(field=COLUMN_FIELD, message=message, choices=choices))
    return best


def _contradict(one: Matching, other: Matching) -> bool:
    """Tell whether a row names photos in both columns, and not the same ones."""
    return any(
        first and second and first != second for first, second in zip(one.rows, other.rows, strict=True)
    )


def _count_named(matching: Matching) -> int:
    return sum(map(bool, matching.rows))


def _lookup(index: Mapping[str, list[int]], key: str) -> tuple[int, ...]:
    return tuple(index.get(key, ())) if key else ()


def _normalise(text: str) -> str:
    path = unicodedata.normalize("NFC", text).strip().casefold().replace("\\", "/")
    return path.removeprefix("./").lstrip("/")


def _list_columns(table: GivenTable) -> str:
    shown = ", ".join(table.header[:_SHOWN_COLUMNS])
    more = len(table.header) - _SHOWN_COLUMNS
    return f"its columns are {shown}" + (f" and {more} more" if more > 0 else "")


def _invalid(message: str, field: str = "files") -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field=field, message=message))
