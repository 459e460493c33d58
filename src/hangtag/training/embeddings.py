"""The statistics of the train photos' embeddings, measured through the exported graph."""

from typing import Final

import numpy as np

from hangtag.bundle.statistics import EmbeddingStatistics
from hangtag.inference.engine import Engine
from hangtag.training.data import OOD_OUTPUT, UNKNOWN, TrainingData
from hangtag.training.export import EMBEDDING_OUTPUT

_BATCH: Final = 1024


def measure_embeddings(engine: Engine, data: TrainingData) -> EmbeddingStatistics:
    """Return the statistics of the train photos that show products, as they are: nothing is augmented."""
    targets = data.train.targets
    none = targets.get(OOD_OUTPUT)
    products = np.flatnonzero(none == 0) if none is not None else np.arange(len(data.train))
    size = engine.card.output_widths[EMBEDDING_OUTPUT]
    total, squares = np.zeros(size), np.zeros((size, size))
    sums = {column: np.zeros((len(classes), size)) for column, classes in data.classes.items()}
    for start in range(0, len(products), _BATCH):
        chosen = products[start : start + _BATCH]
        rows = engine.run(np.array(data.train.pixels[chosen]))[EMBEDDING_OUTPUT].astype(np.float64)
        total += rows.sum(axis=0)
        squares += rows.T @ rows
        for column, by_class in sums.items():
            labels = targets[column][chosen]
            known = labels != UNKNOWN
            np.add.at(by_class, labels[known], rows[known])
    count = max(1, len(products))
    mean = total / count
    counts = {
        column: np.bincount(labels[labels != UNKNOWN], minlength=len(sums[column]))
        for column in sums
        for labels in [targets[column][products]]
    }
    means = {
        column: np.where(counts[column][:, None] > 0, by_class / np.maximum(1, counts[column])[:, None], mean)
        for column, by_class in sums.items()
    }
    return EmbeddingStatistics(
        len(products),
        mean.astype(np.float32),
        (squares / count - np.outer(mean, mean)).astype(np.float32),
        {column: rows.astype(np.float32) for column, rows in means.items()},
        counts,
    )
