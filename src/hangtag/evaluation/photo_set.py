"""Labelled photos to measure on: a split of a catalogue, or any labelled set."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import JOINT, Catalogue, JoinedCatalogue, open_catalogue, open_custom_set
from hangtag.datasets.splits import (
    PHOTO_COLUMN,
    SPLIT_COLUMN,
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    read_split_facts,
)
from hangtag.domain.columns import ID
from hangtag.domain.errors import UsageError
from hangtag.tables.matching import match_products
from hangtag.tables.tables import need_columns, read_table

CUSTOM: Final = "custom"
"""The name of the set of your own photos next to a catalogue."""

KEPT_BACK_OF: Final = "kept_back_of"
"""The fact with the name of the joined set that photos were held out from."""


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Labelled photos: a row for each, with its file name in `photo` and a column for each label.

    `name` is the set's name in reports, `facts` says how it was made, and `split_table` is the table that a split comes
    from.
    """

    name: str
    rows: pa.Table
    catalogue: Catalogue
    facts: Mapping[str, Any] = field(default_factory=dict)
    split_table: pa.Table | None = None

    def take(self, positions: list[int]) -> "PhotoSet":
        """Return the set of some of the photos, by position."""
        rows = self.rows.take(pa.array(positions, pa.int64()))
        return PhotoSet(self.name, rows, self.catalogue, self.facts, self.split_table)


def split_photos(split_table: pa.Table, catalogue: Catalogue, split: str) -> PhotoSet:
    """Return the photos of one split.

    Raises `UsageError` if it has none, and `CatalogueError` if the table is not a split table.
    """
    need_columns(split_table, [PHOTO_COLUMN, SPLIT_COLUMN], "the split table")
    rows = split_table.filter(pc.equal(split_table[SPLIT_COLUMN], split))
    if not rows.num_rows:
        raise UsageError(f"the split table has no {split} rows", fix="Choose another split with `on`.")
    return PhotoSet(split, rows, catalogue, read_split_facts(split_table), split_table)


def kept_back_photos(name: str, rows: pa.Table, catalogue: Catalogue) -> PhotoSet:
    """Return the photos of a joined set that were held out from training, to measure on."""
    return PhotoSet(name, rows, catalogue, {KEPT_BACK_OF: name})


def catalogue_photos(catalogue: Catalogue, name: str | None = None) -> PhotoSet:
    """Return all photos of a labelled set, cleaned on the fly, under `name` or else the set's own.

    A row without its photo is kept, and counted as not found when it is opened. The facts count the rejected lines.
    Raises `CatalogueError` if the table cannot be read, and `UsageError` if it has no rows.
    """
    table, rejected = read_cleaned(catalogue)
    if not table.num_rows:
        raise UsageError("the labelled set has no rows", where=catalogue.name)
    ids = table[ID].to_pylist()
    photos = match_products(ids, catalogue.photo_names()).photo_of
    names = [photos.get(product, product) for product in ids]
    facts = {"catalogue": catalogue.name, "rejected_lines": rejected}
    return PhotoSet(
        name or _free_name(catalogue.name),
        table.append_column(PHOTO_COLUMN, pa.array(names)),
        catalogue,
        facts,
    )


def _free_name(name: str) -> str:
    """Return a name that cannot be confused with a split's: a folder may well be called `test`."""
    return f"{name} (set)" if name in {*SPLITS, CUSTOM} else name


def choose_photos(photos: PhotoSet, count: int, seed: int) -> PhotoSet:
    """Return `count` photos of a set, or all if it has no more. The choice depends only on the seed and the names."""
    names = photos.rows[PHOTO_COLUMN].to_pylist()
    shuffled = sorted(range(len(names)), key=lambda position: _place(names[position], seed))
    return photos.take(sorted(shuffled[:count]))


def _place(name: str, seed: int) -> bytes:
    return sha256(f"{seed}:{name}".encode()).digest()


SPLIT_NAMES: Final = (TEST, VALIDATION, TRAIN)


class PhotoSets:
    """The photo sets of a catalogue and its split table, and any other labelled set. Closes what it opened."""

    def __init__(self, catalogue: Path | None = None, split_table: Path | None = None) -> None:
        self._catalogue = catalogue
        self._split_table = split_table
        self._stack = ExitStack()

    def open(self, on: str) -> PhotoSet:
        """Open a split by name, the custom set as `custom`, or any labelled set by path.

        Raises `UsageError` if something needed for it was not given, or there is no such set, and `CatalogueError` if
        it cannot be read.
        """
        if on in SPLIT_NAMES:
            return self._open_split(on)
        if on == CUSTOM:
            custom = self._open_custom()
            if custom is None:
                raise UsageError(
                    "there is no custom set next to the catalogue",
                    where=self._catalogue,
                    fix="Make one with `hangtag custom`, or pass its folder as `on`.",
                )
            return custom
        if not Path(on).exists():
            raise UsageError(
                f"{on!r} is neither a split nor a path that exists",
                where="`on`",
                fix=f"It is {', '.join(SPLIT_NAMES)}, {CUSTOM}, or the path of a folder or table of labelled photos.",
            )
        return catalogue_photos(self._stack.enter_context(open_catalogue(Path(on))))

    def sample(self, measured: PhotoSet, count: int, seed: int) -> list[PhotoSet]:
        """Return the photos for a workbook: the whole custom set, and `count` photos of the test split.

        From another labelled set, `count` photos are used too. Photos of the train split are never included.
        """
        custom = None if self._catalogue is None else self._open_custom()
        sets = [] if custom is None else [custom]
        if self._catalogue is not None and self._split_table is not None:
            sets.append(choose_photos(self._open_split(TEST), count, seed))
        if measured.split_table is None and measured.name != CUSTOM:
            sets.append(choose_photos(measured, count, seed))
        return sets

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open_split(self, split: str) -> PhotoSet:
        if self._split_table is None:
            raise UsageError(
                f"the {split} split needs the split table",
                fix="Pass the table from `hangtag split` as `split_table`.",
            )
        catalogue = self._stack.enter_context(open_catalogue(self._need_catalogue()))
        photos = split_photos(read_table(self._split_table), catalogue, split)
        if not any(name.startswith(CUSTOM + JOINT) for name in photos.rows[PHOTO_COLUMN].to_pylist()):
            return photos
        return PhotoSet(split, photos.rows, self._join_custom(catalogue), photos.facts, photos.split_table)

    def _join_custom(self, catalogue: Catalogue) -> Catalogue:
        """Return the catalogue joined with its custom set, if there is one, for a table that uses both."""
        custom = open_custom_set(self._need_catalogue())
        return (
            catalogue
            if custom is None
            else self._stack.enter_context(JoinedCatalogue(catalogue, {CUSTOM: custom}))
        )

    def _open_custom(self) -> PhotoSet | None:
        catalogue = open_custom_set(self._need_catalogue())
        return None if catalogue is None else catalogue_photos(self._stack.enter_context(catalogue), CUSTOM)

    def _need_catalogue(self) -> Path:
        if self._catalogue is None:
            raise UsageError(
                "measuring on a split or the custom set needs a catalogue",
                fix="Pass it as `catalogue`, or measure on a folder or table of labelled photos with `on`.",
            )
        return self._catalogue
