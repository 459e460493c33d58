"""Soft targets for the train photos from products' names and trained models, added before the loop begins.

A name such as `Acme Men Navy Blue Shirt` often says more than a thumbnail shows, and contradicts a mistake in the label
column. A small text model reads the names of the train split. Its out-of-fold predictions become soft targets in
addition to the labels: generalised distillation of privileged information (Lopez-Paz et al. 2016, "Unifying
distillation and privileged information"). The text model is a bag of hashed words and word pairs
(Joulin et al. 2017, "Bag of tricks for efficient text classification").

A teacher, which is larger or trained differently, knows which classes are similar, and softens wrong labels (Hinton et
al. 2015, "Distilling the knowledge in a neural network"). Several teachers are averaged. Each sees a photo once,
without augmentation, with its own preprocessing; the student learns this prediction for every variant of the photo.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor, nn
from torch.nn import functional

from hangtag.datasets.opening import Catalogue
from hangtag.datasets.splits import PHOTO_COLUMN, SPLIT_COLUMN, TRAIN
from hangtag.domain.columns import NAME
from hangtag.domain.errors import TrainingError
from hangtag.inference.model import Model
from hangtag.inference.predictions import Predictions
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.tables.tables import need_columns
from hangtag.training.data import UNKNOWN, TrainingData, load_pixels

_FOLDS: Final = 5
_BUCKETS: Final = 1 << 17
_SIZE: Final = 64
_EPOCHS: Final = 6
_NAMES_AT_A_TIME: Final = 128
_LEARNING_RATE: Final = 5e-3

Targets = Mapping[str, npt.NDArray[np.int64]]


class _NameReader(nn.Module):
    """Maps words to one row of logits per column."""

    def __init__(self, class_counts: Mapping[str, int]) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(_BUCKETS, _SIZE, mode="mean", sparse=True)
        self.dropout = nn.Dropout(0.3)
        self.heads = nn.ModuleDict(
            {column: nn.Linear(_SIZE, count) for column, count in class_counts.items()}
        )

    def forward(self, words: Tensor, starts: Tensor) -> dict[str, Tensor]:
        features = self.dropout(self.words(words, starts))
        return {column: head(features) for column, head in self.heads.items()}


def teach_by_names(data: TrainingData, table: pa.Table, seed: int) -> TrainingData:
    """Return the data with soft targets predicted from the names of the train photos.

    `table` is the split table that the data was loaded from. Raises `CatalogueError` if it has no names.
    """
    need_columns(table, [NAME], "the split table")
    names = table.filter(pc.equal(table.column(SPLIT_COLUMN), TRAIN)).column(NAME).to_pylist()
    counts = {column: len(classes) for column, classes in data.classes.items()}
    return replace(data, train=replace(data.train, soft=read_names(names, data.train.targets, counts, seed)))


def read_names(
    names: Sequence[str | None], targets: Targets, class_counts: Mapping[str, int], seed: int
) -> dict[str, npt.NDArray[np.float16]]:
    """Return by column the classes' probabilities given each name, (N, classes); all zero without a name.

    `targets` holds class indices (N,), or `UNKNOWN`. Equal names are predicted by the same model, which saw none of
    them in training.
    """
    bags = [_bag_words(name) if name else np.empty(0, np.int64) for name in names]
    folds = np.array([zlib.crc32(f"{seed} {name}".encode()) % _FOLDS for name in names])
    readable = np.array([len(bag) > 0 for bag in bags])
    answers = {column: np.zeros((len(names), count), np.float16) for column, count in class_counts.items()}
    for fold in range(_FOLDS):
        learnt, held_out = (np.flatnonzero(readable & part) for part in (folds != fold, folds == fold))
        if not (len(learnt) and len(held_out)):
            continue
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + fold)
            reader = _train_reader(bags, targets, class_counts, learnt)
        for column, rows in _read(reader, bags, held_out).items():
            answers[column][held_out] = rows
    return answers


def _bag_words(name: str) -> npt.NDArray[np.int64]:
    """Return the buckets of a name's words and pairs of neighbouring words."""
    words = name.lower().replace("-", " ").split()
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    return np.array([zlib.crc32(word.encode()) % _BUCKETS for word in [*words, *pairs]], np.int64)


def _train_reader(
    bags: Sequence[npt.NDArray[np.int64]],
    targets: Targets,
    class_counts: Mapping[str, int],
    rows: npt.NDArray[np.int64],
) -> _NameReader:
    reader = _NameReader(class_counts)
    # A step touches few words. Dense gradients would have 130,000 rows, nearly all zero.
    optimisers: tuple[Any, ...] = (
        torch.optim.SparseAdam(list(reader.words.parameters()), lr=_LEARNING_RATE),
        torch.optim.Adam(reader.heads.parameters(), lr=_LEARNING_RATE),
    )
    for _ in range(_EPOCHS):
        order = rows[torch.randperm(len(rows)).numpy()]
        for start in range(0, len(order), _NAMES_AT_A_TIME):
            chosen = order[start : start + _NAMES_AT_A_TIME]
            logits = reader(*_join_bags(bags, chosen))
            losses = [
                functional.cross_entropy(logits[column], wanted, ignore_index=UNKNOWN)
                for column in class_counts
                if bool(((wanted := torch.from_numpy(targets[column][chosen])) != UNKNOWN).any())
            ]
            if not losses:  # no label is known
                continue
            reader.zero_grad(set_to_none=True)
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
            for optimiser in optimisers:
                optimiser.step()
    return reader.eval()


@torch.no_grad()
def _read(
    reader: _NameReader, bags: Sequence[npt.NDArray[np.int64]], rows: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.float16]]:
    logits = reader(*_join_bags(bags, rows))
    return {column: values.softmax(dim=1).numpy().astype(np.float16) for column, values in logits.items()}


def _join_bags(bags: Sequence[npt.NDArray[np.int64]], rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Return the words of several names in one array, and where each name starts."""
    chosen = [bags[row] for row in rows]
    starts = np.cumsum([0, *(len(bag) for bag in chosen[:-1])])
    return torch.from_numpy(np.concatenate(chosen)), torch.from_numpy(starts)


_BLOCK: Final = 256

Probabilities = Mapping[str, npt.NDArray[np.float32]]
"""By column, (N, classes)."""


def teach_by_models(
    data: TrainingData, table: pa.Table, catalogue: Catalogue, teachers: Sequence[Model], cache_folder: Path
) -> TrainingData:
    """Return the data with the teachers' mean predictions for its train photos as soft targets.

    `table` is the split table that the data was loaded from. A class that a teacher does not know has no probability.
    Raises `TrainingError` for a teacher that predicts none of the columns.
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
    """Return a teacher's entry in the student's card: its name, its file, and the seconds spent on its training."""
    card = teacher.card
    seconds = sum(row.get("seconds", 0) for row in card.history)
    before = sum(earlier["seconds"] for earlier in card.data.get("teachers", ()))
    return {"name": card.name, "sha256": teacher.sha256, "seconds": round(seconds + before, 1)}


def answer_photos(model: Model, photos: Sequence[str], catalogue: Catalogue, cache: Path) -> Probabilities:
    """Return the probabilities of every head of a model for photos, whose pixels are cached in `cache`."""
    pixels = load_pixels(photos, catalogue, model.card.preprocessing, cache)
    batches = (np.array(pixels[start : start + _BLOCK]) for start in range(0, len(pixels), _BLOCK))
    builder = PredictionBuilder(model.card)
    return Predictions.concat([builder.build(outputs) for outputs in model.iter_run(batches)]).probabilities


def align_classes(
    probabilities: npt.NDArray[np.float32], known: Sequence[str], classes: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return the probabilities (N, known) reordered to `classes`; NaN for a class that the model does not know."""
    aligned = np.full((len(probabilities), len(classes)), np.nan, np.float32)
    for index, label in enumerate(classes):
        if label in known:
            aligned[:, index] = probabilities[:, known.index(label)]
    return aligned
