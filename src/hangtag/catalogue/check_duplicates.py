"""Check which photos of a catalogue show the same picture, and whether their labels agree."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hangtag.catalogue.check_rows import Rows
from hangtag.catalogue.findings import Finding, FindingKind
from hangtag.imaging.fingerprint import Fingerprint, near_duplicate_groups
from hangtag.tables.matching import product_id

NAMED_IDS: Final = 5
"""How many ids a detail names before it says how many more there are."""

Values = Mapping[str, Sequence[str]]
"""The ids behind each value of a column."""


def iter_duplicate_findings(prints: Mapping[str, Fingerprint], rows: Rows) -> Iterator[Finding]:
    """Iterate the exact and near duplicates among the photos, group by group, and their differing labels.

    Groups are numbered from 1; exact and near duplicates of one picture share a number.
    """
    numbers = near_duplicate_groups(list(prints.values()))
    groups: dict[int, list[str]] = defaultdict(list)
    for name, number in zip(prints, numbers, strict=True):
        groups[number].append(name)
    several = (names for names in groups.values() if len(names) > 1)
    for number, names in enumerate(several, start=1):
        yield from _iter_group_findings(number, names, prints, rows)


def _iter_group_findings(
    number: int, names: Sequence[str], prints: Mapping[str, Fingerprint], rows: Rows
) -> Iterator[Finding]:
    by_pixels: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_pixels[prints[name].pixels_sha256].append(name)
    said: set[tuple[str, frozenset[str]]] = set()
    for same in by_pixels.values():
        for name in same if len(same) > 1 else ():
            yield _about(FindingKind.DUPLICATE, name, f"the same as {_other(name, same)}", number)
        for column, values in _iter_disagreements(same, rows):
            said.add((column, frozenset(values)))
            yield _about(FindingKind.DUPLICATES_DISAGREE, same[0], _describe(column, values), number)
    if len(by_pixels) == 1:
        return
    for name in names:
        others = [one for one in names if prints[one].pixels_sha256 != prints[name].pixels_sha256]
        yield _about(FindingKind.NEAR_DUPLICATE, name, f"nearly the same as {others[0]}", number)
    for column, values in _iter_disagreements(names, rows):
        if (column, frozenset(values)) not in said:
            yield _about(FindingKind.NEAR_DUPLICATES_DISAGREE, names[0], _describe(column, values), number)


def _iter_disagreements(names: Sequence[str], rows: Rows) -> Iterator[tuple[str, Values]]:
    """Iterate the label columns in which photos bear different values. A missing value contradicts none."""
    for position, column in enumerate(rows.label_columns):
        ids: dict[str, list[str]] = defaultdict(list)
        for name in names:
            id_ = product_id(name)
            value = rows.labels[id_][position] if id_ in rows.labels else None
            if value is not None:
                ids[value].append(id_)
        if len(ids) > 1:
            yield column, ids


def _about(kind: FindingKind, name: str, detail: str, group: int) -> Finding:
    return Finding(kind, detail, product_id(name), name, group)


def _other(name: str, names: Sequence[str]) -> str:
    return next(one for one in names if one != name)


def _describe(column: str, values: Values) -> str:
    return f"{column}: " + "; ".join(f"{value} ({_name_some(ids)})" for value, ids in sorted(values.items()))


def _name_some(ids: Sequence[str]) -> str:
    more = len(ids) - NAMED_IDS
    return ", ".join(ids[:NAMED_IDS]) + (f" and {more} more" if more > 0 else "")
