"""The products of a split being made: their photo, their duplicates, and why some cannot take part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from hangtag.datasets.prints import PhotoPrint, group_duplicates
from hangtag.datasets.splits import DROPPED, GIVEN_COLUMN, NO_LABEL, NO_PHOTO, SPLITS, read_split_name
from hangtag.domain.columns import ID, YEAR
from hangtag.domain.errors import CatalogueError

RARE_CLASS: Final = "rare_class"
NO_SPLIT: Final = "no_split"
BAD_PHOTO: Final = "photo_"
"""The prefix of the note on a photo that cannot be decoded. The reason code follows."""


@dataclass(slots=True)
class Candidate:
    """A product to be split. `note` says why it is dropped, `group` is the number of its duplicate group.

    `given` is the split that the catalogue itself assigns.
    """

    id: str
    label: str | None
    year: int | None
    photo: str | None
    note: str | None
    group: int = -1
    given: str | None = None
    split: str = DROPPED


def sort_by_id(cleaned: pa.Table) -> pa.Table:
    """Return the table sorted by id in natural order, 9 before 10.

    Raises `CatalogueError` if an id is missing or duplicated.
    """
    ids = cleaned[ID].to_pylist()
    wrong = [id_ for id_, count in Counter(ids).items() if count > 1 or id_ is None]
    if wrong:
        raise CatalogueError(f"the id {wrong[0]} is missing or duplicated", fix="Run `hangtag clean` first.")
    order = sorted(range(len(ids)), key=lambda position: (len(ids[position]), ids[position]))
    return cleaned.take(pa.array(order, pa.int64())).combine_chunks()


def read_candidates(cleaned: pa.Table, label_column: str, photos: Mapping[str, str]) -> list[Candidate]:
    """Return a candidate for each row of a cleaned table, in order."""
    ids = cleaned[ID].to_pylist()
    labels = cleaned[label_column].to_pylist()
    years = cleaned[YEAR].to_pylist() if YEAR in cleaned.column_names else [None] * len(ids)
    candidates = []
    for id_, label, year in zip(ids, labels, years, strict=True):
        photo = photos.get(id_)
        note = NO_PHOTO if photo is None else NO_LABEL if label is None else None
        candidates.append(Candidate(id_, label, _whole_year(year), photo, note))
    return candidates


def note_bad_photos(candidates: Sequence[Candidate], prints: Mapping[str, PhotoPrint]) -> None:
    """Mark the candidates whose photo cannot be decoded."""
    for candidate in candidates:
        if candidate.photo is not None and (reason := prints[candidate.photo].reason) is not None:
            candidate.note = f"{BAD_PHOTO}{reason}"


def note_rare(candidates: Sequence[Candidate], min_examples: int) -> None:
    """Mark the candidates whose label has fewer than `min_examples` usable ones."""
    usable = [candidate for candidate in candidates if candidate.note is None]
    counts = Counter(candidate.label for candidate in usable)
    for candidate in usable:
        if counts[candidate.label] < min_examples:
            candidate.note = RARE_CLASS


def note_given(candidates: Sequence[Candidate], names: Sequence[str | None]) -> None:
    """Read the split that the catalogue assigns to each candidate, and mark those without one.

    Raises `CatalogueError` for an unknown name of a split.
    """
    for candidate, name in zip(candidates, names, strict=True):
        split = DROPPED if name is None else read_split_name(name)
        if split is None:
            problem = f"the column {GIVEN_COLUMN} puts {candidate.id} into {name!r}"
            raise CatalogueError(problem, fix=f"It may say {', '.join(SPLITS)}, or nothing.")
        candidate.given = split
        if split == DROPPED and candidate.note is None:
            candidate.note = NO_SPLIT


def number_groups(candidates: Sequence[Candidate], prints: Mapping[str, PhotoPrint]) -> None:
    """Give each candidate the number of its duplicate group, counted from 0 in candidate order.

    A product without a good photo is a group by itself.
    """
    groups = group_duplicates([candidate.photo for candidate in candidates], prints)
    for candidate, group in zip(candidates, groups, strict=True):
        candidate.group = group


def join_groups(candidates: Sequence[Candidate], values: Sequence[str | None]) -> None:
    """Merge the duplicate groups of candidates that share a value, transitively.

    `values` has one for each candidate; a missing one merges nothing. Groups are renumbered from 0.
    """
    parent: dict[object, object] = {}

    def find_root(node: object) -> object:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = parent[above]
            node = parent[node]
        return node

    for candidate, value in zip(candidates, values, strict=True):
        root = find_root(candidate.group)
        if value is not None:
            parent[root] = find_root(("value", value))
    numbers: dict[object, int] = {}
    for candidate in candidates:
        candidate.group = numbers.setdefault(find_root(candidate.group), len(numbers))


def _whole_year(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
