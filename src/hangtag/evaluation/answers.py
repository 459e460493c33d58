"""A model's answers to one split of a catalogue, beside the truth."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import tee
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hangtag.bundle.card import HeadCard
from hangtag.catalogue.source import Catalogue
from hangtag.catalogue.split import PHOTO_COLUMN, SPLIT_COLUMN
from hangtag.catalogue.tables import need_columns
from hangtag.domain.errors import UsageError
from hangtag.domain.reasons import Reason
from hangtag.evaluation.metrics import Bools, Floats, Ints
from hangtag.imaging.batches import PhotoDecoder
from hangtag.imaging.decode import DecodeLimits
from hangtag.inference.answering import AnsweringModel
from hangtag.inference.model import Scores
from hangtag.inference.probabilities import rank

BATCH_SIZE: Final = 64
TOP: Final = 3
MISSING: Final = -1
"""The class index of a row that has no label."""


@dataclass(frozen=True, slots=True)
class HeadAnswers:
    """One head's answers to n photos.

    `top` holds class indices, shape (n, 3 or fewer), the chosen one first; `confidence` the chosen one's, shape (n,).
    """

    top: Ints
    confidence: Floats

    @property
    def chosen(self) -> Ints:
        """The answers, shape (n,)."""
        return self.top[:, 0]


@dataclass(frozen=True, slots=True)
class SplitAnswers:
    """The rows of a split whose photos were answered, the answers by column, and why other photos have none."""

    rows: pa.Table
    heads: Mapping[str, HeadAnswers]
    failed: Counter[Reason]


def answer_split(
    model: AnsweringModel, table: pa.Table, catalogue: Catalogue, split: str, threads: int = 2
) -> SplitAnswers:
    """Run the model on every photo of a split. `threads` decode beside it.

    Raises `UsageError` when the split has no rows, `CatalogueError` when the table is no split table.
    """
    need_columns(table, [PHOTO_COLUMN, SPLIT_COLUMN], "the split table")
    rows = table.filter(pc.equal(table[SPLIT_COLUMN], split))
    if not rows.num_rows:
        raise UsageError(f"the split table has no {split} rows", fix="Choose another one with --on.")
    photos = [_CataloguePhoto(name, catalogue) for name in rows[PHOTO_COLUMN].to_pylist()]
    decoder = PhotoDecoder(frozenset([model.card.preprocessing]), BATCH_SIZE, threads)
    own, fed = tee(decoder.iter_batches(photos))
    answers = model.iter_label(batch.pixels[model.card.preprocessing] for batch in fed)
    reasons: list[Reason | None] = []
    parts: list[dict[str, HeadAnswers]] = []
    for batch, scores in zip(own, answers, strict=True):
        reasons += batch.reasons
        parts.append({column: _head_answers(scores, column) for column in model.card.columns})
    answered = pa.array([reason is None for reason in reasons])
    heads = {column: _join([part[column] for part in parts]) for column in model.card.columns}
    return SplitAnswers(rows.filter(answered), heads, Counter(filter(None, reasons)))


@dataclass(frozen=True, slots=True)
class Truth:
    """The true labels of a head for n photos.

    `indices`, shape (n,), point into `labels`: the head's classes in the card's order, then the labels that the model
    does not know, which no answer can meet. `MISSING` stands where a row has no label.
    """

    indices: Ints
    labels: tuple[str, ...]

    @property
    def counted(self) -> Bools:
        """Which photos have a label, shape (n,)."""
        counted: Bools = self.indices != MISSING
        return counted


def read_truth(rows: pa.Table, head: HeadCard) -> Truth:
    """Read the true labels of a head from the rows of its photos."""
    indices = {label: index for index, label in enumerate(head.classes)}
    found = [
        indices.setdefault(label, len(indices)) if label else MISSING
        for label in rows[head.column].to_pylist()
    ]
    return Truth(np.array(found, dtype=np.int64), tuple(indices))


@dataclass(frozen=True, slots=True)
class _CataloguePhoto:
    name: str
    catalogue: Catalogue

    def read(self, limits: DecodeLimits) -> bytes:
        del limits  # the catalogue keeps its own, and the decoder looks at them again
        return self.catalogue.read_photo(self.name)


def _head_answers(scores: Scores, column: str) -> HeadAnswers:
    probabilities, chosen = scores.probabilities[column], scores.chosen[column]
    confidence = np.take_along_axis(probabilities, chosen[:, None], axis=1)[:, 0]
    return HeadAnswers(rank(probabilities, chosen, TOP), confidence.astype(np.float64))


def _join(parts: list[HeadAnswers]) -> HeadAnswers:
    top = np.concatenate([part.top for part in parts])
    return HeadAnswers(top, np.concatenate([part.confidence for part in parts]))
