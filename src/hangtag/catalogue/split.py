"""Splitting a cleaned catalogue into train, validation and test.

No product is lost: those that cannot be in a split are `dropped`, with a note.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from hangtag.catalogue.candidates import (
    Candidate,
    join_groups,
    note_bad_photos,
    note_given,
    note_rare,
    number_groups,
    read_candidates,
    sort_by_id,
)
from hangtag.datasets.interface import Catalogue
from hangtag.datasets.prints import PhotoPrint, fingerprint_catalogue
from hangtag.datasets.splits import (
    ADDED_COLUMNS,
    DROPPED,
    GIVEN_COLUMN,
    GROUP_COLUMN,
    METADATA_KEY,
    NOTE_COLUMN,
    PRODUCT_GROUP_COLUMN,
    SPLIT_COLUMN,
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Fractions,
    Item,
    SplitSettings,
    assign_by_year,
    assign_stratified,
    read_split_facts,
)
from hangtag.domain.columns import ID, YEAR
from hangtag.domain.errors import CatalogueError
from hangtag.tables.matching import match_products
from hangtag.tables.tables import CSV_SUFFIX, need_columns, write_json, write_table


def split_catalogue(
    cleaned: pa.Table,
    catalogue: Catalogue,
    settings: SplitSettings,
    fingerprints: Mapping[str, PhotoPrint] | None = None,
) -> pa.Table:
    """Return the cleaned table, sorted by id, with the columns `photo`, `group`, `split` and `note`.

    `fingerprints` holds the fingerprint of each photo (`fingerprint_catalogue`); by default they are computed here.
    The same products in any order give the same table. The settings and counts are in the schema's metadata
    (`read_split_facts`).

    Raises `CatalogueError` if a column is missing, an id is duplicated, or nothing is left to split.
    """
    is_given = settings.strategy == "given"
    group_by = settings.group_by or _usual_group(cleaned, settings)
    columns = [ID, settings.stratify_by, *([GIVEN_COLUMN] if is_given else [])]
    columns += [group_by] if group_by is not None else []
    need_columns(cleaned, columns, "the cleaned table")
    cleaned = sort_by_id(cleaned)
    photos = match_products(cleaned[ID].to_pylist(), catalogue.photo_names()).photo_of
    candidates = read_candidates(cleaned, settings.stratify_by, photos)
    if fingerprints is None:
        fingerprints = fingerprint_catalogue(
            catalogue, [candidate.photo for candidate in candidates if candidate.photo]
        )
    note_bad_photos(candidates, fingerprints)
    if is_given:
        note_given(candidates, cleaned[GIVEN_COLUMN].to_pylist())
    if settings.rare == "drop":
        note_rare(candidates, settings.min_examples)
    number_groups(candidates, fingerprints)
    if group_by is not None:
        join_groups(candidates, cleaned[group_by].to_pylist())
        settings = replace(settings, group_by=group_by)
    drawn = _assign([candidate for candidate in candidates if candidate.note is None], settings)
    return _split_table(cleaned, candidates, settings, drawn)


def _usual_group(cleaned: pa.Table, settings: SplitSettings) -> str | None:
    """Return the column named in catalogue.toml, if there is one and the strategy keeps groups together."""
    keeps_together = settings.strategy in {"grouped", "given"}
    return PRODUCT_GROUP_COLUMN if keeps_together and PRODUCT_GROUP_COLUMN in cleaned.column_names else None


def _assign(usable: Sequence[Candidate], settings: SplitSettings) -> Fractions:
    """Assign the candidates to splits. Return the shares that were drawn."""
    if not usable:
        raise CatalogueError(
            "there is no product to split", fix="Check that the photos belong to this table."
        )
    fractions: Fractions = {TEST: settings.test, VALIDATION: settings.validation}
    if settings.strategy == "year":
        for candidate, split in zip(
            usable, assign_by_year([candidate.year for candidate in usable], fractions), strict=True
        ):
            candidate.split = split
    elif settings.strategy == "given":
        fractions = _keep_given(usable, fractions, settings.seed)
    else:
        _draw(usable, fractions, settings.seed, by_group=settings.strategy == "grouped")
    return fractions


def _keep_given(usable: Sequence[Candidate], fractions: Fractions, seed: int) -> Fractions:
    """Keep the catalogue's own splits. Draw missing ones from its train split, and return their shares."""
    lacking = {
        split: share
        for split, share in fractions.items()
        if all(candidate.given != split for candidate in usable)
    }
    train = [candidate for candidate in usable if candidate.given == TRAIN]
    if sum(lacking.values()) * len(usable) >= len(train):
        wanted = " and ".join(lacking)
        problem = f"its train split has {len(train)} of {len(usable)} products, too few to draw {wanted} from"
        raise CatalogueError(f"the catalogue's own split cannot be kept: {problem}")
    for candidate in usable:
        candidate.split = str(candidate.given)
    of_train = {split: share * len(usable) / len(train) for split, share in lacking.items()}
    _draw(train, of_train, seed, by_group=True)
    return lacking


def _draw(usable: Sequence[Candidate], fractions: Fractions, seed: int, *, by_group: bool) -> None:
    members = _members(usable, by_group=by_group)
    items = [
        Item(min(candidate.id for candidate in group), _majority_label(group), len(group))
        for group in members
    ]
    for group, split in zip(members, assign_stratified(items, fractions, seed), strict=True):
        for candidate in group:
            candidate.split = split


def _members(usable: Sequence[Candidate], *, by_group: bool) -> list[list[Candidate]]:
    members: dict[object, list[Candidate]] = {}
    for candidate in usable:
        members.setdefault(candidate.group if by_group else candidate.id, []).append(candidate)
    return list(members.values())


def _majority_label(group: Sequence[Candidate]) -> str:
    counts = Counter(str(candidate.label) for candidate in group)
    return min(counts, key=lambda label: (-counts[label], label))


def _split_table(
    cleaned: pa.Table, candidates: Sequence[Candidate], settings: SplitSettings, drawn: Fractions
) -> pa.Table:
    table = cleaned.select([name for name in cleaned.column_names if name not in ADDED_COLUMNS])
    for name, kind in ADDED_COLUMNS.items():
        table = table.append_column(
            name, pa.array([getattr(candidate, name) for candidate in candidates], kind)
        )
    counts = Counter(candidate.split for candidate in candidates)
    said = {name: value for name, value in asdict(settings).items() if name not in {VALIDATION, TEST}}
    if settings.group_by is None:
        del said["group_by"]
    fractions = {split: drawn[split] for split in (VALIDATION, TEST) if split in drawn}
    facts = {**said, "fractions": fractions, "counts": {split: counts[split] for split in SPLITS}}
    return table.replace_schema_metadata({METADATA_KEY: json.dumps(facts)})


@dataclass(frozen=True, slots=True)
class SplitReport:
    """The figures of one split table. Groups, labels and years are those of products not dropped.

    - `settings`: the split settings; `counts`: products by split; `dropped`: dropped products by note
    - `groups`: duplicate groups with at least two products, `grouped_products` the products in them,
      `largest_group` the size of the largest
    - `crossing_groups`: duplicate groups in more than one split, `leaked_test` and
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
    """Count a split table. Raises `CatalogueError` if it is not one."""
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
    """Write a split table to `path`, and next to it a CSV copy and its report as `<name>-report.json`.

    Raises `CatalogueError` if a file cannot be written.
    """
    report = report_split(table)
    for file in split_tables(path):
        write_table(table, file)
    write_json(asdict(report), split_report_path(path))
    return report


def split_tables(path: Path) -> list[Path]:
    """Return the paths of a split table: its own, and that of the CSV next to it."""
    return list(dict.fromkeys([path, path.with_suffix(CSV_SUFFIX)]))


def split_report_path(path: Path) -> Path:
    """Return the path of a split table's report."""
    return path.with_name(f"{path.stem}-report.json")
