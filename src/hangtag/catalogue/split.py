"""Split a cleaned catalogue into train, validation and test. No product vanishes: the rest is `dropped`, with a note."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Final, Literal, get_args

import pyarrow as pa

from hangtag.catalogue.assign import DROPPED, SPLITS, TEST, VALIDATION, Item, assign_by_year, assign_stratified
from hangtag.catalogue.prints import PhotoPrint, fingerprint_catalogue
from hangtag.catalogue.source import Catalogue
from hangtag.catalogue.tables import need_columns
from hangtag.domain.columns import ID, YEAR
from hangtag.domain.errors import CatalogueError, UsageError
from hangtag.imaging.fingerprint import near_duplicate_groups

Strategy = Literal["grouped", "year", "random"]
Rare = Literal["keep", "drop"]

PHOTO_COLUMN: Final = "photo"
GROUP_COLUMN: Final = "group"
SPLIT_COLUMN: Final = "split"
NOTE_COLUMN: Final = "note"
METADATA_KEY: Final = b"hangtag.split"

NO_PHOTO: Final = "no_photo"
NO_LABEL: Final = "no_label"
RARE_CLASS: Final = "rare_class"
BAD_PHOTO: Final = "photo_"
"""Notes on dropped products. A photo that cannot be decoded gives `photo_` and its reason code."""


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """How to split.

    - `strategy`: `grouped` keeps duplicate photos on one side and each label in its share; `random` does the latter
      only; `year` puts the newest years into test, the ones before them into validation.
    - `validation`, `test`: shares of the products that are not dropped; train has the rest.
    - `min_examples`, `rare`: labels of `stratify_by` with fewer products are dropped, or kept and reported.

    Raises `UsageError` for values that cannot mean anything.
    """

    strategy: Strategy = "grouped"
    seed: int = 42
    validation: float = 0.05
    test: float = 0.10
    stratify_by: str = "articleType"
    min_examples: int = 100
    rare: Rare = "keep"

    def __post_init__(self) -> None:
        for name, value, choices in (("strategy", self.strategy, Strategy), ("rare", self.rare, Rare)):
            if value not in get_args(choices):
                raise UsageError(f"{name} is one of {', '.join(get_args(choices))}, not {value!r}")
        if not (0 < self.validation < 1 and 0 < self.test < 1 and self.validation + self.test < 1):
            raise UsageError(
                f"validation {self.validation} and test {self.test} leave nothing for one of the splits",
                fix="Give shares above 0 that add up to less than 1.",
            )


@dataclass(slots=True)
class _Product:
    """A row of the split table while it is made."""

    id: str
    label: str | None
    year: int | None
    photo: str | None
    note: str | None
    group: int = -1
    split: str = DROPPED


def split_catalogue(
    cleaned: pa.Table,
    catalogue: Catalogue,
    settings: SplitSettings,
    fingerprints: Mapping[str, PhotoPrint] | None = None,
) -> pa.Table:
    """Return the cleaned table, sorted by id, with the columns `photo`, `group`, `split` and `note`.

    `fingerprints` holds the print of each photo (`fingerprint_catalogue`); without it they are taken here. The same
    products in any order give the same table. The settings and counts are in the schema's metadata (`METADATA_KEY`).

    Raises `CatalogueError` when a column is lacking, an id comes twice, or nothing is left to split.
    """
    need_columns(cleaned, [ID, settings.stratify_by], "the cleaned table")
    cleaned = _sorted_by_id(cleaned)
    photos = photos_by_id(catalogue.photo_names())
    if fingerprints is None:
        wanted = [photos[id_] for id_ in cleaned[ID].to_pylist() if id_ in photos]
        fingerprints = fingerprint_catalogue(catalogue, wanted)
    products = _read_products(cleaned, photos, settings)
    _note_bad_photos(products, fingerprints)
    _note_rare(products, settings)
    _number_groups(products, fingerprints)
    _assign(products, settings)
    return _split_table(cleaned, products, settings)


def photos_by_id(names: Sequence[str] | frozenset[str]) -> dict[str, str]:
    """Return the photo of each product id: `15970.jpg` belongs to 15970; JPEG is preferred where there are several."""
    by_preference = sorted(names, key=lambda name: (not name.lower().endswith((".jpg", ".jpeg")), name), reverse=True)
    return {PurePosixPath(name).stem: name for name in by_preference}


def _sorted_by_id(cleaned: pa.Table) -> pa.Table:
    ids = cleaned[ID].to_pylist()
    twice = next((id_ for id_, count in Counter(ids).items() if count > 1 or id_ is None), "")
    if twice != "":
        raise CatalogueError(f"the id {twice} is missing or comes twice", fix="Run hangtag clean first.")
    order = sorted(range(len(ids)), key=lambda position: (len(ids[position]), ids[position]))  # 9 before 10
    return cleaned.take(pa.array(order, pa.int64())).combine_chunks()


def _read_products(cleaned: pa.Table, photos: Mapping[str, str], settings: SplitSettings) -> list[_Product]:
    ids = cleaned[ID].to_pylist()
    labels = cleaned[settings.stratify_by].to_pylist()
    years = cleaned[YEAR].to_pylist() if YEAR in cleaned.column_names else [None] * len(ids)
    products = []
    for id_, label, year in zip(ids, labels, years, strict=True):
        photo = photos.get(id_)
        note = NO_PHOTO if photo is None else NO_LABEL if label is None else None
        products.append(_Product(id_, label, _whole_year(year), photo, note))
    return products


def _whole_year(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _note_bad_photos(products: Sequence[_Product], fingerprints: Mapping[str, PhotoPrint]) -> None:
    for product in products:
        if product.photo is not None and (reason := fingerprints[product.photo].reason) is not None:
            product.note = f"{BAD_PHOTO}{reason}"


def _note_rare(products: Sequence[_Product], settings: SplitSettings) -> None:
    usable = [product for product in products if product.note is None]
    counts = Counter(product.label for product in usable)
    for product in usable:
        if settings.rare == "drop" and counts[product.label] < settings.min_examples:
            product.note = RARE_CLASS


def _number_groups(products: Sequence[_Product], fingerprints: Mapping[str, PhotoPrint]) -> None:
    """Number the duplicate groups from 0 in table order. A product without a good photo is a group of its own."""
    prints = [None if product.photo is None else fingerprints[product.photo].fingerprint for product in products]
    groups = iter(near_duplicate_groups([one for one in prints if one is not None]))
    numbers: dict[tuple[str, int], int] = {}
    for position, (product, one) in enumerate(zip(products, prints, strict=True)):
        key = ("alone", position) if one is None else ("group", next(groups))
        product.group = numbers.setdefault(key, len(numbers))


def _assign(products: Sequence[_Product], settings: SplitSettings) -> None:
    usable = [product for product in products if product.note is None]
    if not usable:
        raise CatalogueError("no product is left to split", fix="Do the photos belong to this table?")
    fractions = {TEST: settings.test, VALIDATION: settings.validation}
    if settings.strategy == "year":
        splits = assign_by_year([product.year for product in usable], fractions)
    else:
        members = _members(usable, by_group=settings.strategy == "grouped")
        items = [Item(min(one.id for one in group), _majority_label(group), len(group)) for group in members]
        assigned = assign_stratified(items, fractions, settings.seed)
        split_of = {one.id: split for group, split in zip(members, assigned, strict=True) for one in group}
        splits = [split_of[product.id] for product in usable]
    for product, split in zip(usable, splits, strict=True):
        product.split = split


def _members(usable: Sequence[_Product], *, by_group: bool) -> list[list[_Product]]:
    members: dict[object, list[_Product]] = {}
    for product in usable:
        members.setdefault(product.group if by_group else product.id, []).append(product)
    return list(members.values())


def _majority_label(group: Sequence[_Product]) -> str:
    counts = Counter(str(product.label) for product in group)
    return min(counts, key=lambda label: (-counts[label], label))


def _split_table(cleaned: pa.Table, products: Sequence[_Product], settings: SplitSettings) -> pa.Table:
    own = {PHOTO_COLUMN, GROUP_COLUMN, SPLIT_COLUMN, NOTE_COLUMN}
    table = cleaned.select([name for name in cleaned.column_names if name not in own])
    for name, kind in (
        (PHOTO_COLUMN, pa.string()),
        (GROUP_COLUMN, pa.int64()),
        (SPLIT_COLUMN, pa.string()),
        (NOTE_COLUMN, pa.string()),
    ):
        table = table.append_column(name, pa.array([getattr(product, name) for product in products], kind))
    counts = Counter(product.split for product in products)
    said = asdict(settings)
    fractions = {"validation": said.pop("validation"), "test": said.pop("test")}
    metadata = {**said, "fractions": fractions, "counts": {split: counts[split] for split in SPLITS}}
    return table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata)})
