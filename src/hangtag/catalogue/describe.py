"""Statistics of a catalogue: products by class, missing values and where they occur, sample photos of each class.

`describe_plots` and `describe_report` turn them into figures and a page.
"""

import math
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from hangtag.datasets.opening import Catalogue
from hangtag.domain.columns import CATEGORY_COLUMNS, ID, NAME, YEAR
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.text import did_you_mean
from hangtag.imaging.decode import open_photo
from hangtag.tables.matching import match_products

PHOTO: Final = "photo"
"""What is missing if a product has no photo."""

TIMES_AS_MANY: Final = 2.0
UNLIKELY: Final = 0.001


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing in one class far more often than elsewhere.

    Of the `missing` products without `what` (a column's value or a photo), `missing_in_label` have `label` in `column`;
    of all products, `label_products` have it.
    """

    what: str
    missing: int
    column: str
    label: str
    missing_in_label: int
    label_products: int


def find_gaps(table: pa.Table, has_photo: pa.Array, columns: Collection[str]) -> tuple[Gap, ...]:
    """Find the gaps of a cleaned table; `has_photo` is bool (rows), `columns` are those that hold classes.

    A gap is reported if its class has at least twice its share of what is missing, and if the chance of that happening
    to any class of the column is below one in a thousand. Of the category levels and of the other columns, one each is
    reported: the one that explains most, and among equals the smallest class.
    """
    gaps: list[Gap] = []
    for what in (PHOTO, *(name for name in table.column_names if name != ID)):
        mask = pc.invert(has_photo) if what == PHOTO else pc.is_null(table[what])
        lacking = table.filter(mask)
        if 0 < lacking.num_rows < table.num_rows:
            others = [column for column in columns if column != what]
            levels = [column for column in others if column in CATEGORY_COLUMNS]
            for group in (levels, [column for column in others if column not in levels]):
                found = [gap for column in group for gap in _iter_gaps(table, lacking, what, column)]
                gaps += sorted(found, key=lambda gap: (-gap.missing_in_label, gap.label_products))[:1]
    return tuple(gaps)


def _iter_gaps(table: pa.Table, lacking: pa.Table, what: str, column: str) -> Iterator[Gap]:
    sizes = _count(table, column)
    for label, missing in _count(lacking, column).items():
        gap = Gap(what, lacking.num_rows, column, label, missing, sizes[label])
        expected = sizes[label] / table.num_rows
        observed = missing / lacking.num_rows
        chance = math.exp(-lacking.num_rows * _divergence(observed, expected)) * len(sizes)
        if observed >= TIMES_AS_MANY * expected and chance < UNLIKELY:
            yield gap


def _divergence(observed: float, expected: float) -> float:
    """Return the Kullback-Leibler divergence of two shares, in nats.

    `exp(-n * divergence)` bounds the probability that a share this large occurs in n draws (Chernoff).
    """
    rest = 0.0 if observed == 1 else (1 - observed) * math.log((1 - observed) / (1 - expected))
    return observed * math.log(observed / expected) + rest


def _count(table: pa.Table, column: str) -> dict[str, int]:
    counts = pc.drop_null(table[column]).value_counts().to_pylist()
    return {str(entry["values"]): entry["counts"] for entry in counts}


SAMPLES: Final = 4
"""How many sample photos a class has."""

OPENED_PHOTOS: Final = 4_000
"""How many photos, spread over the catalogue, are opened to count sizes: a third of a second instead of three."""

FEW_CLASSES: Final = 50
TEXT_SHARE: Final = 0.1
"""A column with over `FEW_CLASSES` values, more than a tenth of them distinct, holds text instead of classes."""


class Kind(StrEnum):
    """The type of a column."""

    LEVEL = "level"
    ATTRIBUTE = "attribute"
    YEAR = "year"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: products without a value, distinct values, and (label, products), the largest first.

    For text, `counts` is empty, and only the number of distinct values (`classes`) is given.
    """

    name: str
    kind: Kind
    missing: int
    classes: int
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PhotoSizes:
    """The sizes, as (`60x80`, photos), of the `opened` photos, which include `unreadable` ones."""

    opened: int
    unreadable: int
    sizes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The contents of one catalogue.

    `columns` are all but the id, the `levels` first. `paths` are (labels of the levels, products), the largest first,
    with None if a product has no label. `years` are (year, products) in chronological order. `samples` names up to four
    photos of each label: column -> label -> names. They are selected by checksums of the names, so the same photos
    always give the same samples.
    """

    name: str
    products: int
    photos: int
    products_without_photo: int
    photos_without_product: int
    columns: tuple[Column, ...]
    levels: tuple[str, ...]
    paths: tuple[tuple[tuple[str | None, ...], int], ...]
    years: tuple[tuple[str, int], ...]
    gaps: tuple[Gap, ...]
    photo_sizes: PhotoSizes
    samples: Mapping[str, Mapping[str, tuple[str, ...]]]

    def column(self, name: str) -> Column | None:
        """Return a column by name; None if the catalogue does not have it."""
        return next((column for column in self.columns if column.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)


def describe_catalogue(catalogue: Catalogue, table: pa.Table) -> Statistics:
    """Count a catalogue by its cleaned table. Some photos are opened to read their size.

    Raises `CatalogueError` if there is no folder of photos.
    """
    names = catalogue.photo_names()
    ids = table[ID].to_pylist()
    matched = match_products(ids, names)
    photos = matched.photo_of
    columns = _describe_columns(table)
    levels = tuple(column.name for column in columns if column.kind is Kind.LEVEL)
    classed = [column.name for column in columns if column.counts]
    has_photo = pa.array([id_ in photos for id_ in ids], pa.bool_())
    year = next((column for column in columns if column.kind is Kind.YEAR), None)
    return Statistics(
        name=catalogue.name,
        products=table.num_rows,
        photos=len(names),
        products_without_photo=pc.sum(pc.invert(has_photo)).as_py() or 0,
        photos_without_product=len(names) - len(matched.id_of),
        columns=columns,
        levels=levels,
        paths=_count_paths(table, levels),
        years=() if year is None else tuple(sorted(year.counts)),
        gaps=find_gaps(table, has_photo, classed),
        photo_sizes=_measure_photos(catalogue, names),
        samples=_draw_samples(table, photos, [column for column in classed if column != YEAR]),
    )


def _describe_columns(table: pa.Table) -> tuple[Column, ...]:
    others = [name for name in table.column_names if name not in {ID, *CATEGORY_COLUMNS}]
    levels = [name for name in CATEGORY_COLUMNS if name in table.column_names]
    return tuple(_describe_column(name, table[name]) for name in (*levels, *others))


def _describe_column(name: str, values: pa.ChunkedArray) -> Column:
    found = [
        (str(entry["values"]), entry["counts"]) for entry in pc.drop_null(values).value_counts().to_pylist()
    ]
    kind = _find_kind(name, len(found), len(values) - values.null_count)
    counts = sorted(found, key=lambda entry: (-entry[1], entry[0])) if kind is not Kind.TEXT else []
    return Column(name, kind, values.null_count, len(found), tuple(counts))


def _find_kind(name: str, classes: int, filled: int) -> Kind:
    if name in CATEGORY_COLUMNS:
        return Kind.LEVEL
    if name == YEAR:
        return Kind.YEAR
    is_text = name == NAME or (classes > FEW_CLASSES and classes > TEXT_SHARE * filled)
    return Kind.TEXT if is_text else Kind.ATTRIBUTE


def _count_paths(table: pa.Table, levels: Collection[str]) -> tuple[tuple[tuple[str | None, ...], int], ...]:
    counts = Counter(zip(*(table[level].to_pylist() for level in levels), strict=True))
    return tuple(sorted(counts.items(), key=lambda entry: (-entry[1], [label or "" for label in entry[0]])))


def _draw_samples(
    table: pa.Table, photos: Mapping[str, str], columns: Collection[str]
) -> dict[str, dict[str, tuple[str, ...]]]:
    names = [photos.get(id_) for id_ in table[ID].to_pylist()]
    drawn = sorted((crc32(name.encode()), row) for row, name in enumerate(names) if name is not None)
    samples: dict[str, dict[str, tuple[str, ...]]] = {}
    for column in columns:
        values = table[column].to_pylist()
        found: dict[str, list[str]] = {}
        for _, row in drawn:
            if values[row] is not None and len(chosen := found.setdefault(str(values[row]), [])) < SAMPLES:
                chosen.append(str(names[row]))
        samples[column] = {label: tuple(chosen) for label, chosen in sorted(found.items())}
    return samples


def _measure_photos(catalogue: Catalogue, names: Collection[str]) -> PhotoSizes:
    step = -(-len(names) // OPENED_PHOTOS) or 1
    opened = sorted(names)[::step]
    sizes: Counter[str] = Counter()
    unreadable = 0
    for name in opened:
        try:
            with open_photo(catalogue.read_photo(name)) as image:
                sizes[f"{image.width}x{image.height}"] += 1
        except PhotoError:
            unreadable += 1
    return PhotoSizes(len(opened), unreadable, tuple(sizes.most_common()))


COUNT: Final = "count"
SHARE: Final = "share"
TOTAL: Final = "total"
MISSING_NAME: Final = "(missing)"
"""The name of a cross table's column for products without a value."""


def count_products(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return one row per existing combination of values, with its `count` and its `share` (0 to 1).

    The largest comes first. A missing value (null) counts as a value.

    Raises `UsageError`, listing the columns, if one is unknown, or if none or the same one twice is given.
    """
    _check_columns(table, columns)
    counts = Counter(zip(*(table[column].to_pylist() for column in columns), strict=True))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], [str(value or "") for value in item[0]]))
    values: list[list[str | None]] = [[key[place] for key, _ in ordered] for place in range(len(columns))]
    sizes = [size for _, size in ordered]
    arrays = {
        column: pa.array(found, table.schema.field(column).type)
        for column, found in zip(columns, values, strict=True)
    }
    shares = [size / table.num_rows for size in sizes]
    arrays[_free_name(COUNT, arrays)] = pa.array(sizes, pa.int64())
    arrays[_free_name(SHARE, arrays)] = pa.array(shares, pa.float64())
    return pa.table(arrays)


def cross_table(counts: pa.Table) -> pa.Table:
    """Turn the counts of two columns into a row per value of the first and a column per value of the second.

    Rows and columns are sorted by their sums, the largest first; the last column is each row's `total`.
    """
    down = counts.column_names[0]
    cells: Counter[tuple[object, object]] = Counter()
    rows: Counter[object] = Counter()
    columns: Counter[object] = Counter()
    for row, column, size in zip(*(counts.column(place).to_pylist() for place in range(3)), strict=True):
        cells[row, column] += size
        rows[row] += size
        columns[column] += size
    down_values = [row for row, _ in rows.most_common()]
    crossed = {down: pa.array(down_values, counts.schema.field(down).type)}
    for column, _ in columns.most_common():
        name = MISSING_NAME if column is None else str(column)
        crossed[_free_name(name, crossed)] = pa.array([cells[row, column] for row in down_values], pa.int64())
    crossed[_free_name(TOTAL, crossed)] = pa.array([rows[row] for row in down_values], pa.int64())
    return pa.table(crossed)


def _free_name(name: str, taken: Container[str]) -> str:
    """Return the name, extended if a column or class of the catalogue has it already."""
    while name in taken:
        name += "_"
    return name


def _check_columns(table: pa.Table, columns: Sequence[str]) -> None:
    there = ", ".join(table.column_names)
    if not columns or len(set(columns)) < len(columns):
        raise UsageError("give one column or several different ones", fix=f"The columns are {there}.")
    for column in columns:
        if column not in table.column_names:
            fix = f"{did_you_mean(column, table.column_names)}The columns are {there}."
            raise UsageError(f"there is no column {column}", fix=fix)
