"""The predictions of models for a set of photos: for all of them, and for a sample shown in a report."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from hangtag.bundle.card import HeadCard
from hangtag.datasets.interface import OnProgress, silent
from hangtag.datasets.opening import Catalogue
from hangtag.datasets.splits import PHOTO_COLUMN
from hangtag.domain.errors import PhotoError
from hangtag.domain.prediction import Prediction
from hangtag.domain.reasons import Reason
from hangtag.evaluation.metrics import Bools, Ints
from hangtag.evaluation.photo_set import PhotoSet
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import decode_photo
from hangtag.inference.predicting import DecodeSettings, Predictor, predict_photos
from hangtag.inference.predictions import Predictions
from hangtag.inference.probabilities import PredictionBuilder

BATCH_SIZE: Final = 64
MISSING: Final = -1
"""The class index of a row without a label."""


@dataclass(frozen=True, slots=True)
class PhotoAnswers:
    """The rows whose photos could be labelled, and a model's predictions for these n photos.

    `reasons` has for every requested photo, in order, why it could not be labelled, or None.
    """

    rows: pa.Table
    predictions: Predictions
    reasons: tuple[Reason | None, ...]

    @property
    def failed(self) -> Counter[Reason]:
        """How many photos could not be labelled, by reason."""
        return Counter(reason for reason in self.reasons if reason is not None)


def answer_photos(
    model: Predictor, photos: PhotoSet, threads: int = 2, on_progress: OnProgress = silent
) -> PhotoAnswers:
    """Run the model on every photo of a set. Photos are decoded on `threads` threads."""
    sources = [_CataloguePhoto(name, photos.catalogue) for name in photos.rows[PHOTO_COLUMN].to_pylist()]
    parts: list[Predictions] = []
    done = 0
    with closing(predict_photos(sources, [model], DecodeSettings(threads, BATCH_SIZE))) as batches:
        for (predictions,) in batches:
            parts.append(predictions)
            done += len(predictions)
            on_progress(done, len(sources))
    found = Predictions.concat(parts) if parts else PredictionBuilder(model.card).build_empty()
    labelled = found.is_labelled
    return PhotoAnswers(photos.rows.filter(pa.array(labelled)), found[labelled], found.reasons)


@dataclass(frozen=True, slots=True)
class Truth:
    """The true labels of a head for n photos.

    `indices`, shape (n,), point into `labels`: the head's classes in the card's order, then the labels that the model
    does not know, which no prediction can match. Rows without a label have `MISSING`.
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
        del limits  # the catalogue has its own, and the decoder checks them again
        return self.catalogue.read_photo(self.name)


THUMBNAIL_BOX: Final = (120, 160)
"""The box in pixels (width, height) that a thumbnail fits into: twice its size in a report, for sharp screens."""

_QUALITY: Final = 88


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer for a photo: a label and its confidence (0 to 1), or the reason why there is none."""

    label: str | None
    confidence: float | None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class SamplePhoto:
    """A photo with its true labels by column (None if it has none) and the answers by model and column."""

    origin: str
    name: str
    truth: Mapping[str, str | None]
    answers: Mapping[str, Mapping[str, Answer]]
    thumbnail: bytes | None


def answer_sample(
    models: Mapping[str, Predictor], sets: Sequence[PhotoSet], threads: int = 2
) -> list[SamplePhoto]:
    """Run every model on the photos of the sets. A photo that cannot be read is kept, with the reason."""
    return [photo for photos in sets for photo in _answer_set(models, photos, threads)]


def draw_thumbnail(data: bytes) -> bytes:
    """Return a photo as a JPEG that fits into the box, without enlarging it.

    Raises `PhotoError` if the photo cannot be decoded.
    """
    image = decode_photo(data, at_least=THUMBNAIL_BOX)
    image.thumbnail(THUMBNAIL_BOX)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _answer_set(models: Mapping[str, Predictor], photos: PhotoSet, threads: int) -> list[SamplePhoto]:
    answers = {name: _answer_all(model, photos, threads) for name, model in models.items()}
    return [
        SamplePhoto(
            origin=photos.name,
            name=row[PHOTO_COLUMN],
            truth=row,
            answers={name: given[position] for name, given in answers.items()},
            thumbnail=_thumbnail(photos, row[PHOTO_COLUMN]),
        )
        for position, row in enumerate(photos.rows.to_pylist())
    ]


def _answer_all(model: Predictor, photos: PhotoSet, threads: int) -> list[dict[str, Answer]]:
    """Return the answers of one model for each photo by column."""
    found = answer_photos(model, photos, threads)
    answered = found.predictions.rows(1)
    return [
        {column: Answer(label.value, label.confidence) for column, (label,) in row.candidates.items()}
        if reason is None and isinstance(row := next(answered), Prediction)
        else dict.fromkeys(model.card.columns, Answer(None, None, reason))
        for reason in found.reasons
    ]


def _thumbnail(photos: PhotoSet, name: str) -> bytes | None:
    try:
        return draw_thumbnail(photos.catalogue.read_photo(name))
    except PhotoError:
        return None
