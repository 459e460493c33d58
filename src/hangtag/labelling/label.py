"""The pipeline: photos are decoded on several threads while the models answer; none is lost."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import tee
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.domain.reasons import Reason
from hangtag.imaging.batches import DecodedBatch, PhotoDecoder, PhotoSource

BATCH_SIZE: Final = 32
"""How many photos are decoded at a time: two batches of the engine, so that several threads share few photos too."""


class Scores(Protocol):
    """A model's answers to n photos."""

    @property
    def probabilities(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """Calibrated probabilities by column, shape (n, classes)."""
        ...

    @property
    def chosen(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """The class index that is the answer, by column, shape (n,)."""
        ...


class LabellingModel(Protocol):
    """What labelling needs of a model."""

    @property
    def card(self) -> Card:
        """Everything that is true about the model."""
        ...

    def iter_label(self, batches: Iterable[npt.NDArray[np.uint8]]) -> Iterator[Scores]:
        """Yield the answers to each batch, uint8 of shape (n, height, width, 3), n from 0 up, in order."""
        ...


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Some photos in their order, why each has no label (or None), and each model's answers to the others."""

    names: tuple[str, ...]
    reasons: tuple[Reason | None, ...]
    scores: tuple[Scores, ...]


def iter_labelled(
    photos: Iterable[PhotoSource],
    models: Sequence[LabellingModel],
    threads: int,
    batch_size: int = BATCH_SIZE,
) -> Iterator[LabelledBatch]:
    """Yield the photos' labels batch by batch, in order.

    `threads` decode photos beside the models. Only a few batches are in memory, however many photos come.
    """
    decoder = PhotoDecoder(frozenset(model.card.preprocessing for model in models), batch_size, threads)
    decoded = decoder.iter_batches(photos)
    # Each model takes batches a little ahead of its answers; tee keeps those that not all have taken.
    own, *streams = tee(decoded, len(models) + 1)
    answers = [
        model.iter_label(_pixels_for(model, stream)) for model, stream in zip(models, streams, strict=True)
    ]
    try:
        for batch, *scores in zip(own, *answers, strict=True):
            yield LabelledBatch(batch.names, batch.reasons, tuple(scores))
    finally:
        decoded.close()


def _pixels_for(model: LabellingModel, batches: Iterable[DecodedBatch]) -> Iterator[npt.NDArray[np.uint8]]:
    preprocessing = model.card.preprocessing
    return (batch.pixels[preprocessing] for batch in batches)
