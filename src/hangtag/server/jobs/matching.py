"""Which row of a table names which photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hangtag.server.jobs.given_table import GivenTable
from hangtag.server.problems import InvalidRequestError
from hangtag.server.schemas import InvalidValue
from hangtag.tables.matching import Likeness, NameMatcher, has_photo_ending

COLUMN_FIELD: Final = "photo_column"
"""The field of the form that says which column names the photos."""

_RIVAL: Final = 0.5
"""A second column that names this share of what the best one names could be the one that was meant."""

_SHOWN_COLUMNS: Final = 20


@dataclass(frozen=True, slots=True)
class Matching:
    """The column that names the photos, and for each row of the table the indices of those that it names.

    `doubts` say for rows that name no photo which ones could have been meant.
    """

    table: GivenTable
    column: int
    rows: list[tuple[int, ...]]
    doubts: list[str]


_TIERS: Final = (Likeness.FOLDER, Likeness.NUMBER, Likeness.OTHER_FOLDER)
"""A column that names photos more surely goes before those that do so by weaker likenesses."""


def match_rows(table: GivenTable, names: Sequence[str], column: str | None = None) -> Matching:
    """Find the column that names the photos, unless it is given, and the photos of each row.

    Raises `InvalidRequestError` when there is no such column, or several that name different photos.
    """
    photos = NameMatcher(names)
    if column not in table.header and any(_names_file(photos, cell) for cell in table.header):
        table = table.without_header()
    if column is not None:
        if column not in table.header:
            raise _invalid(f"the table has no column {column!r}; {_list_columns(table)}", COLUMN_FIELD)
        return _match(table, photos, table.header.index(column))
    return _choose([_match(table, photos, position) for position in _find_columns(table, photos)], table)


def _find_columns(table: GivenTable, photos: NameMatcher) -> list[int]:
    """Return the columns that hold names of files or, if there are none, ids, the surer ones first."""
    texts = {column: table.whole_numbers(column) for column in range(len(table.header))}
    found = [column for column in texts if any(_names_file(photos, text) for text in texts[column])]
    for weakest in () if found else _TIERS:
        found = [
            column for column in texts if any(photos.find(text, weakest).photos for text in texts[column])
        ]
        if found:
            break
    return found


def _names_file(photos: NameMatcher, cell: str) -> bool:
    return has_photo_ending(cell) and bool(photos.find(cell, Likeness.OTHER_FOLDER).photos)


def _match(table: GivenTable, photos: NameMatcher, column: int) -> Matching:
    texts = table.whole_numbers(column)
    matches = photos.match_all(texts, Likeness.OTHER_FOLDER)
    found = [matches[text] for text in texts]
    return Matching(table, column, [match.photos for match in found], [match.explain() for match in found])


def _choose(found: list[Matching], table: GivenTable) -> Matching:
    if not found:
        raise _invalid(f"no column of {table.name} names the photos; {_list_columns(table)}")
    best = max(found, key=_count_named)
    enough = _RIVAL * _count_named(best)
    rivals = [match for match in found if _count_named(match) >= enough and match.rows != best.rows]
    if any(_contradict(best, rival) for rival in rivals):
        choices = list(dict.fromkeys(table.header[match.column] for match in [best, *rivals]))
        columns = " and ".join(map(repr, choices))
        problem = f"the columns {columns} of {table.name} name different photos; {_list_columns(table)}"
        message = f"{problem}. Say in the field {COLUMN_FIELD} which one it is"
        raise InvalidRequestError(InvalidValue(field=COLUMN_FIELD, message=message, choices=choices))
    return best


def _contradict(best: Matching, other: Matching) -> bool:
    """Tell whether a row names photos in both columns, and not the same ones."""
    return any(
        first and second and first != second for first, second in zip(best.rows, other.rows, strict=True)
    )


def _count_named(matching: Matching) -> int:
    return sum(map(bool, matching.rows))


def _list_columns(table: GivenTable) -> str:
    shown = ", ".join(table.header[:_SHOWN_COLUMNS])
    more = len(table.header) - _SHOWN_COLUMNS
    return f"its columns are {shown}" + (f" and {more} more" if more > 0 else "")


def _invalid(message: str, field: str = "files") -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field=field, message=message))
