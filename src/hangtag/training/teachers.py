"""Distillation: the predictions of trained models for the train photos become soft targets.

A teacher, which is larger or trained differently, knows which classes are similar, and softens wrong labels (Hinton et
al. 2015, "Distilling the knowledge in a neural network"). Several teachers are averaged. Each sees a photo once,
without augmentation, with its own preprocessing; the student learns this prediction for every variant of the photo.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hangtag.datasets.opening import Catalogue
from hangtag.datasets.splits import PHOTO_COLUMN, SPLIT_COLUMN, TRAIN
from hangtag.domain.errors import TrainingError
from hangtag.inference.model import Model
from hangtag.inference.predictions import Predictions
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.training.data import TrainingData, load_pixels

_BATCH: Final = 256

Probabilities = Mapping[str, npt.NDArray[np.float32]]
"""By column, (N, classes)."""


def teach_by_models(
    data: TrainingData, table: pa.Table, catalogue: Catalogue, teachers: Sequence[Model], cache_folder: Path
) -> TrainingData:
    """Return the data with the mean answer of the teachers to its train photos as soft targets.

    `table` is the split table that the data was loaded from. A class that a teacher does not know has no probability.
    Raises `TrainingError` for a teacher that answers none of the columns.
    """
    photos = table.filter(pc.equal(table.column(SPLIT_COLUMN), TRAIN)).column(PHOTO_COLUMN).to_pylist()
    answers: dict[str, list[npt.NDArray[np.float32]]] = {}
    for teacher in teachers:
        columns = [column for column in data.classes if column in teacher.card.columns]
        if not columns:
            raise TrainingError(
                f"the teacher {teacher.card.name} answers none of {', '.join(data.classes)}",
                where="`teacher`",
                fix=f"It answers {', '.join(teacher.card.columns)}.",
            )
        cache = cache_folder / f"by-{teacher.sha256[:12]}.npy"
        probabilities = answer_photos(teacher, photos, catalogue, cache)
        for column in columns:
            known = teacher.card.head(column).classes
            aligned = align_classes(probabilities[column], known, data.classes[column])
            answers.setdefault(column, []).append(np.nan_to_num(aligned))
    soft = {column: np.mean(rows, axis=0).astype(np.float16) for column, rows in answers.items()}
    taught_by = tuple(teacher.sha256 for teacher in teachers)
    return replace(data, train=replace(data.train, soft=soft), taught_by=taught_by)


def describe_teacher(teacher: Model) -> dict[str, Any]:
    """Return what the student's card says of a teacher: its name, its file, the seconds of its training and before."""
    card = teacher.card
    seconds = sum(row.get("seconds", 0) for row in card.history)
    before = sum(earlier["seconds"] for earlier in card.data.get("teachers", ()))
    return {"name": card.name, "sha256": teacher.sha256, "seconds": round(seconds + before, 1)}


def answer_photos(model: Model, photos: Sequence[str], catalogue: Catalogue, cache: Path) -> Probabilities:
    """Return the probabilities of every head of a model for photos, whose pixels are kept in `cache`."""
    pixels = load_pixels(photos, catalogue, model.card.preprocessing, cache)
    batches = (np.array(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH))
    builder = PredictionBuilder(model.card)
    return Predictions.concat([builder.build(outputs) for outputs in model.iter_run(batches)]).probabilities


def align_classes(
    probabilities: npt.NDArray[np.float32], known: Sequence[str], classes: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return the probabilities (N, known) in the order of `classes`; NaN for a class that is not known."""
    aligned = np.full((len(probabilities), len(classes)), np.nan, np.float32)
    for index, label in enumerate(classes):
        if label in known:
            aligned[:, index] = probabilities[:, known.index(label)]
    return aligned
