"""The columns of tables, and the values in their cells."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple, cast

from hangtag.domain.columns import ID, LABEL_COLUMNS, NAME

Candidates = list[tuple[str, float]]
"""Labels with their confidences (0 to 1), the chosen one first."""

Names = tuple[str, ...]
"""Several codes in one cell."""

Cell = str | float | dt.date | Candidates | Names | None
"""A value of a table; None if there is none."""


class Kind(Enum):
    """The type of a column. A moment is a date with a time, without a time zone."""

    TEXT = auto()
    WRITTEN = auto()
    """Text from a CSV file, which may stand for a number or a date."""
    PATH = auto()
    """The path or address of a photo, as text."""
    CONFIDENCE = auto()
    CANDIDATES = auto()
    NAMES = auto()
    INTEGER = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    DATE = auto()
    MOMENT = auto()


TYPED_KINDS: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE, Kind.MOMENT})
"""The kinds whose values have a type of their own in the file."""

TEXT_KINDS: Final = frozenset({Kind.TEXT, Kind.WRITTEN, Kind.PATH})
"""The kinds of columns that hold text."""

LARGEST_EXACT: Final = 2.0**53
"""A float holds every whole number up to here exactly."""


class Column(NamedTuple):
    """A column: its name, unique in the table, and the kind of its values."""

    name: str
    kind: Kind


class TableRow(NamedTuple):
    """A row: its number in the file (a line, row or record), and a value for each column (None: empty)."""

    number: int
    values: tuple[object, ...]


def name_beside(names: Iterable[str], taken: Iterable[str], mark: str) -> list[str]:
    """Return `names`, marked where they collide with a name that is taken: `path (given)`.

    Case is ignored, as it is in SQL and in a spreadsheet's formulas.
    """
    used = {name.casefold() for name in taken}
    found = []
    for own in names:
        name = own
        while name.casefold() in used:
            name = f"{name} ({mark})"
        used.add(name.casefold())
        found.append(name)
    return found


PHOTO_COLUMNS: Final = (
    "path", "filepath", "photopath", "imagepath", "file", "filename", "photo", "photofile", "image", "imagefile",
    "imagename", "img", "picture", "photourl", "imageurl", "imagelink", "imagesrc", "url", "uri", "src", "link",
    "mainimage", "mainimageurl", "featuredimage", "photos", "images", "imageurls", "pictures", "additionalimagelink",
)  # fmt: skip
"""Names of photo columns, the likeliest first. Case, spaces and punctuation are ignored."""

KEY_COLUMNS: Final = (
    "sku", "skuid", "skucode", "styleid", "stylecode", "stylenumber", "productid", "productcode", "productnumber",
    "articlenumber", "articlecode", "artikelnummer", "artnr", "itemnumber", "itemcode", "itemid", "id", "itemgroupid",
    "style", "reference", "ref", "référence", "referencia", "handle", "variantsku",
)  # fmt: skip
"""Names of SKU columns, the most certain first, written as those of `PHOTO_COLUMNS`.

Beside a product's id, a plain `id` may number photos, and `style` may be an attribute. A handle joins the variants of a
product, some of whose rows have no SKU.
"""

MOST_TITLES: Final = 5
"""How many lines of titles a table has at most above its header."""


def plain_name(name: str) -> str:
    """Return a name without case, spaces and punctuation: `Item Group-ID` and `item_group_id` are the same."""
    return re.sub(r"[\W_]+", "", name.casefold())


_TELLING: Final = frozenset({*PHOTO_COLUMNS, *map(plain_name, (ID, *LABEL_COLUMNS, NAME)), "sku"})


def find_header(rows: Sequence[Sequence[str]]) -> int:
    """Return the position of the header: the first row, unless that is certainly a title.

    It is if it has one cell that is not a usual column's name, and the next row with several cells has only
    distinct names, one of them usual.
    """
    for position, cells in enumerate(rows):
        names = [name for cell in cells if (name := plain_name(cell))]
        if not position and (len(names) != 1 or names[0] in _TELLING):
            return 0
        if len(names) > 1:
            is_header = not _TELLING.isdisjoint(names) and len(set(names)) == len(names)
            return position if is_header else 0
    return 0


def name_columns(header: Iterable[str]) -> tuple[str, ...]:
    """Return a unique name for each column: `name`, `name (2)`. A column without a name becomes `column 3`."""
    names: list[str] = []
    for position, written in enumerate(header, start=1):
        name = first = written.strip() or f"column {position}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{first} ({copies})"
        names.append(name)
    return tuple(names)


def render_value(value: object) -> str:
    """Return a value as text: numbers and dates in the plainest format of a spreadsheet."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_EXACT:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def kind_of(value: object) -> Kind:
    """Return the kind of column that can hold a value."""
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, int):
        return Kind.INTEGER if abs(value) < 2**63 else Kind.TEXT
    if isinstance(value, float):
        return Kind.INTEGER if value.is_integer() and abs(value) < LARGEST_EXACT else Kind.NUMBER
    if isinstance(value, dt.datetime):
        return Kind.MOMENT if value.tzinfo is None else Kind.TEXT
    return Kind.DATE if isinstance(value, dt.date) else Kind.TEXT


def common_kind(found: set[Kind]) -> Kind:
    """Return the kind of a column whose values have these kinds. It is text if they do not fit together."""
    if len(found) == 1:
        return next(iter(found))
    if found == {Kind.INTEGER, Kind.NUMBER}:
        return Kind.NUMBER
    return Kind.MOMENT if found == {Kind.DATE, Kind.MOMENT} else Kind.TEXT


def parse_value(text: str, kind: Kind) -> Cell:
    """Parse text that `render_value` wrote. In a column of text it is returned as is; empty text is None.

    Raises `ValueError` for text that is not a value of this kind.
    """
    if not text:
        return None
    if kind is Kind.INTEGER:
        return int(text)
    if kind is Kind.NUMBER:
        return float(text)
    if kind is Kind.BOOLEAN:
        return text == "TRUE"
    if kind is Kind.DATE:
        return dt.date.fromisoformat(text)
    return dt.datetime.fromisoformat(text) if kind is Kind.MOMENT else text


def as_kind(value: object, kind: Kind) -> Cell:
    """Convert a value to the kind of its column. In a column of text, everything becomes text."""
    if value is None:
        return None
    if kind in TEXT_KINDS:
        return render_value(value)
    if kind is Kind.INTEGER and isinstance(value, float):
        return int(value)
    if kind is Kind.NUMBER and isinstance(value, int):
        return float(value)
    if kind is Kind.MOMENT and not isinstance(value, dt.datetime) and isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    return cast("Cell", value)
