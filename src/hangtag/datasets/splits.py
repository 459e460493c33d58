"""Splits: their names, settings and table columns, and the rules that assign items to them."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from hangtag.domain.errors import CatalogueError, UsageError
from hangtag.imaging.preprocess import Preprocessing

TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
DROPPED: Final = "dropped"
SPLITS: Final = (TRAIN, VALIDATION, TEST, DROPPED)

PHOTO_COLUMN: Final = "photo"
GROUP_COLUMN: Final = "group"
SPLIT_COLUMN: Final = "split"
NOTE_COLUMN: Final = "note"
ADDED_COLUMNS: Final = {
    PHOTO_COLUMN: pa.string(),
    GROUP_COLUMN: pa.int64(),
    SPLIT_COLUMN: pa.string(),
    NOTE_COLUMN: pa.string(),
}
METADATA_KEY: Final = b"hangtag.split"

NO_PHOTO: Final = "no_photo"
NO_LABEL: Final = "no_label"
"""Notes on dropped products."""

PRODUCT_GROUP_COLUMN: Final = "product_group"
"""The column with the values to keep on one side, which a catalogue.toml names with `group`."""

GIVEN_COLUMN: Final = SPLIT_COLUMN
"""The column with a product's part in a published split."""

SPLIT_NAMES: Final[Mapping[str, str]] = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
    DROPPED: DROPPED,
}
"""Other names of the splits, in lower case."""

Strategy = Literal["grouped", "year", "random", "given"]
Rare = Literal["keep", "drop"]


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """How to split.

    - `strategy`: `grouped` keeps duplicate photos on one side and each label in its share; `random` does only the
      latter; `year` puts the newest years into test, the ones before them into validation; `given` keeps the
      published split in the table's column `split`, and draws a missing validation or test split from train.
    - `validation`, `test`: shares of the products that are not dropped; train has the rest.
    - `group_by`: a column whose values are also kept on one side, such as a SKU with several photos. By default it is
      the one that a catalogue.toml names with `group`.
    - `min_examples`, `rare`: labels of `stratify_by` with fewer products are dropped, or kept and reported.

    Raises `UsageError` for invalid values.
    """

    strategy: Strategy = "grouped"
    seed: int = 42
    validation: float = 0.05
    test: float = 0.10
    stratify_by: str = "articleType"
    min_examples: int = 100
    rare: Rare = "keep"
    group_by: str | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (("strategy", self.strategy, Strategy), ("rare", self.rare, Rare)):
            if value not in get_args(choices):
                raise UsageError(f"{name} is one of {', '.join(get_args(choices))}, not {value!r}")
        if self.group_by is not None and self.strategy in {"random", "year"}:
            problem = f"the strategy {self.strategy} does not keep groups together"
            raise UsageError(problem, fix="Choose the strategy grouped, or no column to group by.")
        if not (0 < self.validation < 1 and 0 < self.test < 1 and self.validation + self.test < 1):
            raise UsageError(
                f"validation {self.validation} and test {self.test} leave nothing for one of the splits",
                fix="Give shares above 0 that add up to less than 1.",
            )


def read_split_name(name: str) -> str | None:
    """Return the split that a name stands for; None if it is unknown."""
    return SPLIT_NAMES.get(name.strip().lower())


def read_split_facts(table: pa.Table) -> dict[str, Any]:
    """Return a split table's settings and counts; empty if it has none, for example after conversion to CSV."""
    said = (table.schema.metadata or {}).get(METADATA_KEY)
    facts: dict[str, Any] = {} if said is None else json.loads(said)
    return facts


_SEEN_SPLITS: Final = (TRAIN, VALIDATION)


def data_fingerprint(split_table: pa.Table, columns: Sequence[str], preprocessing: Preprocessing) -> str:
    """Return the SHA-256 of a training's data: its train and validation photos, their labels, its preprocessing.

    Two split tables have the same fingerprint if the same photos, in the same order, with the same labels in `columns`,
    are in train and in validation. Raises `KeyError` for a column that the table lacks.
    """
    seen = {
        split: split_table.filter(pc.equal(split_table[SPLIT_COLUMN], split))
        .select([PHOTO_COLUMN, *columns])
        .to_pydict()
        for split in _SEEN_SPLITS
    }
    text = json.dumps([seen, preprocessing.to_json()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


Fractions = Mapping[str, float]
"""The wanted shares of TEST and VALIDATION; TRAIN has the rest."""


_TOLERATED_GAP: Final = 0.01
"""The part of a share that may be missing at the end. Large catalogues miss less, so their splits never change."""


@dataclass(frozen=True, slots=True)
class Item:
    """An indivisible item: one product, or all products of a duplicate group.

    `key` is unique and alone decides its place in the shuffled order; `label` is its stratum.
    """

    key: str
    label: str
    size: int


def assign_stratified(items: Sequence[Item], fractions: Fractions, seed: int) -> list[str]:
    """Return the split of each item, so that every label has about the wanted shares.

    If a label's items are too few or too large for its share, the deficit is carried to the next smaller label. What is
    left after the smallest, if it is over a hundredth of the share, is taken from the largest. A label with one item
    keeps it in train. The order of `items` does not matter.
    """
    strata: defaultdict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(items):
        strata[item.label].append(position)
    sizes = {
        label: sum(items[position].size for position in positions) for label, positions in strata.items()
    }
    carried = dict.fromkeys(fractions, 0.0)
    splits = [TRAIN] * len(items)
    by_size = sorted(strata, key=lambda label: (-sizes[label], label))
    for label in by_size:
        strata[label].sort(key=lambda position: _shuffle_key(items[position].key, seed))
        wanted = {split: sizes[label] * fraction + carried[split] for split, fraction in fractions.items()}
        room = {split: round(count) for split, count in wanted.items()}
        for position in strata[label][:-1]:  # the last one stays in train, whatever was carried over
            size = items[position].size
            split = next((split for split in fractions if 0 < size <= room[split]), None)
            if split is not None:
                splits[position] = split
                room[split] -= size
                wanted[split] -= size
        carried = wanted
    total = sum(sizes.values())
    room = {split: round(carried[split]) for split in fractions}
    lacking = {
        split: count for split, count in room.items() if count > _TOLERATED_GAP * total * fractions[split]
    }
    _fill(splits, items, [strata[label][:-1] for label in by_size], lacking)
    return splits


def _fill(
    splits: list[str], items: Sequence[Item], strata: Sequence[Sequence[int]], lacking: Mapping[str, int]
) -> None:
    """Move items from train to splits that are too small, one per stratum in turn."""
    room = dict(lacking)
    left = [[position for position in stratum if splits[position] == TRAIN] for stratum in strata]
    while any(left) and any(count > 0 for count in room.values()):
        for stratum in left:
            if not stratum:
                continue
            position = stratum.pop(0)
            size = items[position].size
            split = next((split for split in room if 0 < size <= room[split]), None)
            if split is not None:
                splits[position] = split
                room[split] -= size


def _shuffle_key(key: str, seed: int) -> bytes:
    """Return a random sort key that does not depend on other items."""
    return hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=16).digest()


def assign_by_year(years: Sequence[int | None], fractions: Fractions) -> list[str]:
    """Return the split of each product: the newest years are test, those before them validation.

    Each split gets the number of whole years, at least one, that comes nearest to its wanted share. A product without a
    year goes to train.

    Raises `CatalogueError` if there are fewer years than splits.
    """
    counts = Counter(year for year in years if year is not None)
    newest_first = sorted(counts, reverse=True)
    if len(newest_first) < len(fractions) + 1:
        raise CatalogueError(
            f"a split by year needs {len(fractions) + 1} different years, but there are {len(newest_first)}",
            fix="Choose another `strategy`.",
        )
    split_of: dict[Hashable, str] = {}
    for later, (split, fraction) in enumerate(fractions.items(), start=1):
        # Leave a year for each remaining split, and one for train.
        spare = len(newest_first) - (len(fractions) - later) - 1
        taken = _nearest_count([counts[year] for year in newest_first[:spare]], fraction * len(years))
        split_of |= dict.fromkeys(newest_first[:taken], split)
        newest_first = newest_first[taken:]
    return [split_of.get(year, TRAIN) for year in years]


def _nearest_count(sizes: Sequence[int], wanted: float) -> int:
    """Return how many of the first sizes, at least one, add up nearest to the wanted sum."""
    sums = [sum(sizes[:count]) for count in range(1, len(sizes) + 1)]
    return min(range(len(sums)), key=lambda position: abs(sums[position] - wanted)) + 1
