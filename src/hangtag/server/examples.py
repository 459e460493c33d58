"""Photos of a catalogue for a cell of the confusion matrix, found by labelling them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import pyarrow.compute as pc

from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.interface import Catalogue
from hangtag.datasets.splits import PHOTO_COLUMN, SPLIT_COLUMN, TEST
from hangtag.domain.columns import ID
from hangtag.imaging.budget import DecodeLimits
from hangtag.inference.model import Model
from hangtag.inference.predictions import Predictions
from hangtag.server.batching import Batcher
from hangtag.tables.matching import match_products
from hangtag.tables.tables import need_columns, read_table

MAX_EXAMPLES: Final = 12
MAX_ASKED: Final = 400
"""How many photos one call labels at most: about a second's work."""

_STEP: Final = 64


@dataclass(frozen=True, slots=True)
class _CataloguePhoto:
    """A photo of the catalogue, for a batcher."""

    name: str
    catalogue: Catalogue

    def read(self, _limits: DecodeLimits) -> bytes:
        """Return the photo's bytes. Raises `PhotoError`."""
        return self.catalogue.read_photo(self.name)


@dataclass
class ExampleFinder:
    """Finds photos with one true label that a model labels as another (or the same).

    With a split table, only photos of its test split are used. Predictions are cached, so the next cell of the same row
    is free, and repeated calls find rare mistakes.
    """

    catalogue: Catalogue
    split_table: Path | None
    _table: Any = None
    _answers: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, model: Model, batcher: Batcher, column: str, cell: tuple[str, str]) -> list[str]:
        """Return the names of up to `MAX_EXAMPLES` photos of a cell: its true and its predicted label.

        Raises `CatalogueError` if the catalogue's table cannot be read.
        """
        async with self._lock:  # so that two requests do not label the same photos
            true, answered = cell
            names = await asyncio.to_thread(self._names_of, column, true)
            known = self._answers.setdefault(model.sha256, {})
            unknown = [name for name in names if name not in known][:MAX_ASKED]
            found = _matching(names, known, column, answered)
            for start in range(0, len(unknown), _STEP):
                if len(found) >= MAX_EXAMPLES:
                    break
                step = unknown[start : start + _STEP]
                asked = await batcher.predict([_CataloguePhoto(name, self.catalogue) for name in step])
                known |= _labels(asked)
                found = _matching(names, known, column, answered)
            return found

    def _names_of(self, column: str, label: str) -> list[str]:
        """Return the names of the photos with a label, in an order that depends only on the names."""
        if self._table is None:
            self._table = self._read()
        if column not in self._table.column_names:
            return []
        rows = self._table.filter(pc.equal(self._table[column], label))
        names = [name for name in rows[PHOTO_COLUMN].to_pylist() if name is not None]
        return sorted(names, key=lambda name: crc32(name.encode()))

    def _read(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return the rows to choose from, with the names of their photos."""
        if self.split_table is not None:
            table = read_table(self.split_table)
            need_columns(table, [SPLIT_COLUMN, PHOTO_COLUMN], self.split_table)
            return table.filter(pc.equal(table[SPLIT_COLUMN], TEST))
        table = read_cleaned(self.catalogue).table
        ids = table[ID].to_pylist()
        photos = match_products(ids, self.catalogue.photo_names()).photo_of
        return table.append_column(PHOTO_COLUMN, [[photos.get(id_) for id_ in ids]])


def _labels(asked: Predictions) -> dict[str, dict[str, str]]:
    """Return the model's labels by photo, without photos that cannot be decoded."""
    labels: dict[str, dict[str, str]] = {name: {} for name in asked.names}
    for column in asked.columns:
        for name, label in zip(asked.names, asked.labels(column), strict=True):
            if label is not None:
                labels[name][column] = label
    return labels


def _matching(
    names: Sequence[str], known: dict[str, dict[str, str]], column: str, answered: str
) -> list[str]:
    found = (name for name in names if known.get(name, {}).get(column) == answered)
    return [name for name, _ in zip(found, range(MAX_EXAMPLES), strict=False)]
