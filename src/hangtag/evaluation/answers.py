"""A model's answers to labelled photos, beside the truth."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import tee
from typing import Final

import numpy as np
import pyarrow as pa

from hangtag.bundle.card import HeadCard
from hangtag.datasets.opening import Catalogue
from hangtag.datasets.parallel import OnProgress, silent
from hangtag.datasets.splits import PHOTO_COLUMN
from hangtag.domain.interrupts import holding_back_interrupts
from hangtag.domain.reasons import Reason
from hangtag.evaluation.metrics import Bools, Floats, Ints
from hangtag.evaluation.photo_set import PhotoSet
from hangtag.imaging.batches import PhotoDecoder
from hangtag.imaging.decode import DecodeLimits
from hangtag.inference.answering import AnsweringModel
from hangtag.inference.probabilities import rank
from hangtag.inference.scores import Scores
from hangtag.inference.sureness import count_sure_levels, over_gate

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
class PhotoAnswers:
    """The rows whose photos were answered and the answers to them, by column.

    `reasons` says for every photo that was asked for, in its order, why it has no answer, or is None. `sure`, shape
    (n,), counts the levels of the category path that the model is sure of, `flagged` says which photos its gate flags.
    """

    rows: pa.Table
    heads: Mapping[str, HeadAnswers]
    reasons: tuple[Reason | None, ...]
    sure: Ints
    flagged: Bools

    @property
    def failed(self) -> Counter[Reason]:
        """How many photos have no answer, by reason."""
        return Counter(reason for reason in self.reasons if reason is not None)


def answer_photos(
    model: AnsweringModel, photos: PhotoSet, threads: int = 2, on_progress: OnProgress = silent
) -> PhotoAnswers:
    """Run the model on every photo of a set. `threads` decode beside it."""
    preprocessing = model.card.preprocessing
    sources = [_CataloguePhoto(name, photos.catalogue) for name in photos.rows[PHOTO_COLUMN].to_pylist()]
    own, fed = tee(PhotoDecoder(frozenset([preprocessing]), BATCH_SIZE, threads).iter_batches(sources))
    answers = model.iter_label(batch.pixels[preprocessing] for batch in fed)
    reasons: list[Reason | None] = []
    parts: list[dict[str, HeadAnswers]] = []
    sure, flagged = [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    with holding_back_interrupts() as let_through:
        for batch, scores in zip(own, answers, strict=True):
            let_through()
            reasons += batch.reasons
            parts.append({column: _head_answers(scores, column) for column in model.card.columns})
            sure.append(count_sure_levels(scores, model.card))
            flagged.append(over_gate(scores, model.card))
            on_progress(len(reasons), len(sources))
    answered = pa.array([reason is None for reason in reasons])
    heads = {column: _join([part[column] for part in parts]) for column in model.card.columns}
    rows = photos.rows.filter(answered)
    return PhotoAnswers(rows, heads, tuple(reasons), np.concatenate(sure), np.concatenate(flagged))


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
