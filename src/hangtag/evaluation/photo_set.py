"""What is measured on: labelled photos, from a split of a catalogue or from any labelled set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import Catalogue
from hangtag.datasets.splits import PHOTO_COLUMN, SPLIT_COLUMN, SPLITS, read_split_facts
from hangtag.domain.columns import ID
from hangtag.domain.errors import UsageError
from hangtag.tables.matching import match_products
from hangtag.tables.tables import need_columns

CUSTOM: Final = "custom"
"""The name of the set of one's own photos that lies beside a catalogue."""

KEPT_BACK_OF: Final = "kept_back_of"
"""The fact that names the joined set which photos were kept back of."""


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Labelled photos: a row for each, with its file name in `photo` and a column for each label.

    `name` is what a report calls the set, `facts` says how it was made, and `split_table` is the table that a split
    comes from.
    """

    name: str
    rows: pa.Table
    catalogue: Catalogue
    facts: Mapping[str, Any] = field(default_factory=dict)
    split_table: pa.Table | None = None

    def take(self, positions: list[int]) -> "PhotoSet":
        """Return the set of some of the photos, by their positions."""
        rows = self.rows.take(pa.array(positions, pa.int64()))
        return PhotoSet(self.name, rows, self.catalogue, self.facts, self.split_table)


def split_photos(split_table: pa.Table, catalogue: Catalogue, split: str) -> PhotoSet:
    """Return the photos of one split.

    Raises `UsageError` when it has none, `CatalogueError` when the table is no split table.
    """
    need_columns(split_table, [PHOTO_COLUMN, SPLIT_COLUMN], "the split table")
    rows = split_table.filter(pc.equal(split_table[SPLIT_COLUMN], split))
    if not rows.num_rows:
        raise UsageError(f"the split table has no {split} rows", fix="Choose another one with --on.")
    return PhotoSet(split, rows, catalogue, read_split_facts(split_table), split_table)


def kept_back_photos(name: str, rows: pa.Table, catalogue: Catalogue) -> PhotoSet:
    """Return the photos of a joined set that a training did not learn from, to see how well it does on such photos."""
    return PhotoSet(name, rows, catalogue, {KEPT_BACK_OF: name})


def catalogue_photos(catalogue: Catalogue, name: str | None = None) -> PhotoSet:
    """Return all photos of a labelled set, cleaned in passing, under `name` or else the set's own.

    A row whose photo is not there stays: it is counted as not found when it is opened. The facts count the lines that
    were rejected. Raises `CatalogueError` when the table cannot be read, `UsageError` when it has no rows.
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
    """Return a name that cannot be taken for that of a split: a folder may well be called `test`."""
    return f"{name} (set)" if name in {*SPLITS, CUSTOM} else name
