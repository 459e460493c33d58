"""Where values and photos are missing: all over the catalogue, or in one corner of it."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from hangtag.domain.columns import CATEGORY_COLUMNS, ID

PHOTO: Final = "photo"
"""What is missing where a product has no photo."""

TIMES_AS_MANY: Final = 2.0
UNLIKELY: Final = 0.001


@dataclass(frozen=True, slots=True)
class Gap:
    """Something is missing in one class far more often than elsewhere.

    Of `missing` products without `what`, a column's value or a photo, `missing_in_label` have `label` in `column`;
    `label_products` of all products have it.
    """

    what: str
    missing: int
    column: str
    label: str
    missing_in_label: int
    label_products: int


def find_gaps(table: pa.Table, has_photo: pa.Array, columns: Collection[str]) -> tuple[Gap, ...]:
    """Find the gaps of a cleaned table; `has_photo` is bool (rows), `columns` are those that hold classes.

    A gap is told when its class has at least twice its share of what is missing, and when chance would do that to any
    class of the column in less than one case of a thousand. Of the levels one is told and of the other columns
    one, each time that which explains most, and of several the smallest class.
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

    `exp(-n * divergence)` bounds the probability that a share this large comes up in n draws (Chernoff).
    """
    rest = 0.0 if observed == 1 else (1 - observed) * math.log((1 - observed) / (1 - expected))
    return observed * math.log(observed / expected) + rest


def _count(table: pa.Table, column: str) -> dict[str, int]:
    counts = pc.drop_null(table[column]).value_counts().to_pylist()
    return {str(entry["values"]): entry["counts"] for entry in counts}
