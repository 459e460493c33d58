"""The pipeline: photos are decoded on several threads while the models answer; none is lost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.domain.reasons import Reason
from hangtag.imaging.batches import DecodedBatch, PhotoDecoder, PhotoSource
from hangtag.imaging.visibility import Flagged
from hangtag.inference.answering import AnsweringModel
from hangtag.inference.scores import Scores

BATCH_SIZE: Final = 32
"""How many photos are decoded at a time: two batches of the engine, so that several threads share few photos too."""


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Some photos in their order, why each has no label (or None), and each model's answers to the others.

    `quality` holds, for each model, the quality flags of the photos as it sees them.
    """

    names: tuple[str, ...]
    reasons: tuple[Reason | None, ...]
    scores: tuple[Scores, ...]
    quality: tuple[Flagged, ...]


def iter_labelled(
    photos: Iterable[PhotoSource],
    models: Sequence[AnsweringModel],
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
            quality = tuple(batch.quality[model.card.preprocessing] for model in models)
            yield LabelledBatch(batch.names, batch.reasons, tuple(scores), quality)
    finally:
        decoded.close()


def _pixels_for(model: AnsweringModel, batches: Iterable[DecodedBatch]) -> Iterator[npt.NDArray[np.uint8]]:
    preprocessing = model.card.preprocessing
    return (batch.pixels[preprocessing] for batch in batches)
