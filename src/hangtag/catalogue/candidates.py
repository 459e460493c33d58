"""The products of a split in the making: their photo, their duplicates, why one cannot take part."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from hangtag.catalogue.assign import DROPPED, SPLITS
from hangtag.catalogue.given_split import GIVEN_COLUMN, read_split_name
from hangtag.catalogue.photo_names import product_id
from hangtag.catalogue.prints import PhotoPrint
from hangtag.domain.columns import ID, YEAR
from hangtag.domain.errors import CatalogueError
from hangtag.imaging.fingerprint import near_duplicate_groups

NO_PHOTO: Final = "no_photo"
NO_LABEL: Final = "no_label"
RARE_CLASS: Final = "rare_class"
NO_SPLIT: Final = "no_split"
BAD_PHOTO: Final = "photo_"
"""Notes on dropped products. A photo that cannot be decoded gives `photo_` and its reason code."""


@dataclass(slots=True)
class Candidate:
    """A product on its way to a split. `note` says why it is dropped, `group` numbers its duplicates.

    `given` is the split that the catalogue itself puts it into.
    """

    id: str
    label: str | None
    year: int | None
    photo: str | None
    note: str | None
    group: int = -1
    given: str | None = None
    split: str = DROPPED


def photos_by_id(names: Collection[str]) -> dict[str, str]:
    """Return the photo of each product. Of several, JPEG is preferred."""
    is_jpeg = {name: name.lower().endswith((".jpg", ".jpeg")) for name in names}
    return {product_id(name): name for name in sorted(names, key=lambda name: (is_jpeg[name], name))}


def sort_by_id(cleaned: pa.Table) -> pa.Table:
    """Return the table in the order of its ids, 9 before 10.

    Raises `CatalogueError` when an id is missing or comes twice.
    """
    ids = cleaned[ID].to_pylist()
    wrong = [id_ for id_, count in Counter(ids).items() if count > 1 or id_ is None]
    if wrong:
        raise CatalogueError(f"the id {wrong[0]} is missing or comes twice", fix="Run hangtag clean first.")
    order = sorted(range(len(ids)), key=lambda position: (len(ids[position]), ids[position]))
    return cleaned.take(pa.array(order, pa.int64())).combine_chunks()


def read_candidates(cleaned: pa.Table, label_column: str, photos: Mapping[str, str]) -> list[Candidate]:
    """Return a candidate for each row of a cleaned table, in its order."""
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
    """Note the candidates whose photo cannot be decoded."""
    for one in candidates:
        if one.photo is not None and (reason := prints[one.photo].reason) is not None:
            one.note = f"{BAD_PHOTO}{reason}"


def note_rare(candidates: Sequence[Candidate], min_examples: int) -> None:
    """Note the candidates whose label has fewer than `min_examples` that could take part."""
    usable = [one for one in candidates if one.note is None]
    counts = Counter(one.label for one in usable)
    for one in usable:
        if counts[one.label] < min_examples:
            one.note = RARE_CLASS


def note_given(candidates: Sequence[Candidate], names: Sequence[str | None]) -> None:
    """Read where the catalogue puts each candidate, and note those that it puts nowhere.

    Raises `CatalogueError` for a name that stands for no split.
    """
    for one, name in zip(candidates, names, strict=True):
        split = DROPPED if name is None else read_split_name(name)
        if split is None:
            problem = f"the column {GIVEN_COLUMN} puts {one.id} into {name!r}"
            raise CatalogueError(problem, fix=f"It may say {', '.join(SPLITS)}, or nothing.")
        one.given = split
        if split == DROPPED and one.note is None:
            one.note = NO_SPLIT


def number_groups(candidates: Sequence[Candidate], prints: Mapping[str, PhotoPrint]) -> None:
    """Give each candidate the number of its duplicate group, counted from 0 in the order of the candidates.

    A product without a good photo is a group of its own.
    """
    fingerprints = [None if one.photo is None else prints[one.photo].fingerprint for one in candidates]
    groups = iter(near_duplicate_groups([one for one in fingerprints if one is not None]))
    numbers: dict[tuple[str, int], int] = {}
    for position, (candidate, fingerprint) in enumerate(zip(candidates, fingerprints, strict=True)):
        key = ("alone", position) if fingerprint is None else ("group", next(groups))
        candidate.group = numbers.setdefault(key, len(numbers))


def _whole_year(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
