"""What a split came out as: counts, duplicates, rare labels, dropped products."""

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from hangtag.datasets.splits import (
    DROPPED,
    GROUP_COLUMN,
    NOTE_COLUMN,
    SPLIT_COLUMN,
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    read_split_facts,
)
from hangtag.domain.columns import YEAR
from hangtag.tables.files import write_json
from hangtag.tables.tables import CSV_SUFFIX, need_columns, write_table


@dataclass(frozen=True, slots=True)
class SplitReport:
    """The figures of one split table. Groups, labels and years are those of products not dropped.

    - `settings`: the split settings; `counts`: products by split; `dropped`: dropped products by note
    - `groups`: duplicate groups with at least two products, `grouped_products` the products in them,
      `largest_group` the size of the largest
    - `crossing_groups`: duplicate groups that lie in more than one split, `leaked_test` and
      `leaked_validation` the products of that split with a duplicate in train
    - `labels`: counts of the stratified column by split; `rare`: labels under `min_examples`, by size
    - `years`: first and last year by split
    """

    settings: dict[str, Any]
    counts: dict[str, int]
    dropped: dict[str, int]
    groups: int
    grouped_products: int
    largest_group: int
    crossing_groups: int
    leaked_test: int
    leaked_validation: int
    rare: dict[str, int]
    labels: dict[str, dict[str, int]]
    years: dict[str, list[str]]


def report_split(table: pa.Table) -> SplitReport:
    """Count a split table. Raises `CatalogueError` when it lacks the columns of one."""
    need_columns(table, [GROUP_COLUMN, SPLIT_COLUMN, NOTE_COLUMN], "the split table")
    settings = read_split_facts(table)
    splits = table[SPLIT_COLUMN].to_pylist()
    used = [position for position, split in enumerate(splits) if split != DROPPED]
    sides = _count_by_split(table, GROUP_COLUMN, used)
    sizes = [side.total() for side in sides.values()]
    labels = _labels_by_split(table, settings, used)
    totals = {label: sum(counts.values()) for label, counts in labels.items()}
    in_splits = Counter(splits)
    notes = Counter(note for note in table[NOTE_COLUMN].to_pylist() if note is not None)
    return SplitReport(
        settings=settings,
        counts={split: in_splits[split] for split in SPLITS},
        dropped=dict(notes.most_common()),
        groups=sum(size > 1 for size in sizes),
        grouped_products=sum(size for size in sizes if size > 1),
        largest_group=max(sizes, default=0),
        crossing_groups=sum(len(side) > 1 for side in sides.values()),
        leaked_test=sum(side[TEST] for side in sides.values() if side[TRAIN]),
        leaked_validation=sum(side[VALIDATION] for side in sides.values() if side[TRAIN]),
        rare={label: size for label, size in totals.items() if size < settings.get("min_examples", 0)},
        labels=labels,
        years=_years_by_split(table, used),
    )


def _count_by_split(table: pa.Table, column: str, used: list[int]) -> dict[Any, Counter[str]]:
    values, splits = table[column].to_pylist(), table[SPLIT_COLUMN].to_pylist()
    counts: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    for position in used:
        counts[values[position]][splits[position]] += 1
    return counts


def _labels_by_split(table: pa.Table, settings: dict[str, Any], used: list[int]) -> dict[str, dict[str, int]]:
    """Return the counts of each label by split, the most frequent label first."""
    column = settings.get("stratify_by")
    if column not in table.column_names:
        return {}
    counts = _count_by_split(table, str(column), used)
    by_size = sorted(counts, key=lambda label: (-counts[label].total(), label))
    return {label: {split: counts[label][split] for split in (TRAIN, VALIDATION, TEST)} for label in by_size}


def _years_by_split(table: pa.Table, used: list[int]) -> dict[str, list[str]]:
    if YEAR not in table.column_names:
        return {}
    years, splits = table[YEAR].to_pylist(), table[SPLIT_COLUMN].to_pylist()
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for position in used:
        if years[position] is not None:
            seen[splits[position]].add(years[position])
    return {split: [min(found), max(found)] for split, found in seen.items()}


def write_split(table: pa.Table, path: Path) -> SplitReport:
    """Write a split table to `path` and, beside it, as CSV, and its report as `<name>-report.json`.

    Raises `CatalogueError` when a file cannot be written.
    """
    report = report_split(table)
    for one in split_tables(path):
        write_table(table, one)
    write_json(asdict(report), split_report_path(path))
    return report


def split_tables(path: Path) -> list[Path]:
    """Return the names that a split table is written under: its own, and that of the CSV beside it."""
    return list(dict.fromkeys([path, path.with_suffix(CSV_SUFFIX)]))


def split_report_path(path: Path) -> Path:
    """Return where the report of a split table lies."""
    return path.with_name(f"{path.stem}-report.json")
