"""The photos that a workbook shows: all of the custom set, and some of the test split, always the same ones."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hangtag.datasets.splits import PHOTO_COLUMN
from hangtag.domain.errors import PhotoError
from hangtag.domain.prediction import Prediction
from hangtag.domain.reasons import Reason
from hangtag.evaluation.answers import answer_photos
from hangtag.evaluation.photo_set import PhotoSet
from hangtag.imaging.decode import decode_photo
from hangtag.inference.predicting import Predictor

THUMBNAIL_BOX: Final = (120, 160)
"""The box in pixels (width, height) that a thumbnail fits into: twice what a report shows, for sharp screens."""

_QUALITY: Final = 88


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to a photo: a label and its confidence (0 to 1), or the reason why there is none."""

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
    """Let every model answer the photos of the sets; a photo that cannot be read stays, with the reason."""
    return [photo for photos in sets for photo in _answer_set(models, photos, threads)]


def draw_thumbnail(data: bytes) -> bytes:
    """Return a photo as a JPEG that fits into the box; one that does already is not enlarged.

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
    """Return the answers of one model to each photo by column."""
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
