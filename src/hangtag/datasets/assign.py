"""Which items go to test, which to validation, which to train: the rules alone, without tables or photos."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hangtag.datasets.splits import TRAIN
from hangtag.domain.errors import CatalogueError

Fractions = Mapping[str, float]
"""The wanted shares of TEST and VALIDATION; TRAIN has the rest."""


_LET_BE: Final = 0.01
"""So small a part of a share may be lacking at the end. Large catalogues lack less: theirs stay split as ever."""


@dataclass(frozen=True, slots=True)
class Item:
    """What may not be torn apart: one product, or all products of a duplicate group.

    `key` names it and alone decides its place in the shuffled order, `label` is its stratum.
    """

    key: str
    label: str
    size: int


def assign_stratified(items: Sequence[Item], fractions: Fractions, seed: int) -> list[str]:
    """Return the split of each item: every label in about the wanted shares, and the whole closely so.

    What a label cannot give (its items are few or large) is carried to the next smaller label, and what the smallest
    could not give, if it is over a hundredth of the share, is taken from the largest. A label with one item keeps it
    in train. The order of `items` does not matter.
    """
    strata: defaultdict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(items):
        strata[item.label].append(position)
    sizes = {label: sum(items[one].size for one in positions) for label, positions in strata.items()}
    carried = dict.fromkeys(fractions, 0.0)
    splits = [TRAIN] * len(items)
    by_size = sorted(strata, key=lambda label: (-sizes[label], label))
    for label in by_size:
        strata[label].sort(key=lambda position: _shuffle_key(items[position].key, seed))
        wanted = {split: sizes[label] * fraction + carried[split] for split, fraction in fractions.items()}
        room = {split: round(count) for split, count in wanted.items()}
        for position in strata[label][:-1]:  # the last one stays in train, whatever was carried
            size = items[position].size
            split = next((split for split in fractions if 0 < size <= room[split]), None)
            if split is not None:
                splits[position] = split
                room[split] -= size
                wanted[split] -= size
        carried = wanted
    total = sum(sizes.values())
    room = {split: round(carried[split]) for split in fractions}
    lacking = {split: count for split, count in room.items() if count > _LET_BE * total * fractions[split]}
    _fill(splits, items, [strata[label][:-1] for label in by_size], lacking)
    return splits


def _fill(
    splits: list[str], items: Sequence[Item], strata: Sequence[Sequence[int]], lacking: Mapping[str, int]
) -> None:
    """Take from train what splits still lack, one item of each stratum in turn, so that none bears it alone."""
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
    """Return a random order that adding or removing other items does not change."""
    return hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=16).digest()


def assign_by_year(years: Sequence[int | None], fractions: Fractions) -> list[str]:
    """Return the split of each product: the newest years are test, those before them validation.

    Whole years are taken, as many as come nearest to the wanted share, at least one for each split. A product
    without a year goes to train.

    Raises `CatalogueError` when there are fewer years than splits.
    """
    counts = Counter(year for year in years if year is not None)
    newest_first = sorted(counts, reverse=True)
    if len(newest_first) < len(fractions) + 1:
        raise CatalogueError(
            f"a split by year needs {len(fractions) + 1} different years, and there are {len(newest_first)}",
            fix="Choose another --strategy.",
        )
    split_of: dict[Hashable, str] = {}
    for later, (split, fraction) in enumerate(fractions.items(), start=1):
        # A year is left for each split still to come, and one for train.
        spare = len(newest_first) - (len(fractions) - later) - 1
        taken = _nearest_count([counts[year] for year in newest_first[:spare]], fraction * len(years))
        split_of |= dict.fromkeys(newest_first[:taken], split)
        newest_first = newest_first[taken:]
    return [split_of.get(year, TRAIN) for year in years]


def _nearest_count(sizes: Sequence[int], wanted: float) -> int:
    """Return how many of the first sizes, at least one, add up nearest to the wanted sum."""
    sums = [sum(sizes[:count]) for count in range(1, len(sizes) + 1)]
    return min(range(len(sums)), key=lambda position: abs(sums[position] - wanted)) + 1
