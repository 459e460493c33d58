"""The pipeline: photos are decoded on several threads while the models answer; none is lost."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.domain.reasons import Reason
from hangtag.imaging.batches import DecodedBatch, PhotoDecoder
from hangtag.imaging.visibility import Flagged
from hangtag.inference.answering import AnsweringModel
from hangtag.inference.scores import Scores
from hangtag.labelling.inputs.photo import Carried, InputPhoto
from hangtag.labelling.inputs.prefetch import FetchingAhead

BATCH_SIZE: Final = 32
"""How many photos are decoded at a time: two batches of the engine, so that several threads share few photos too."""


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Some photos in their order, why each has no label (or None), and each model's answers to the others.

    `quality` holds, for each model, the quality flags of the photos as it sees them; `carried`, for each photo, what
    came along with it.
    """

    names: tuple[str, ...]
    reasons: tuple[Reason | None, ...]
    scores: tuple[Scores, ...]
    quality: tuple[Flagged, ...]
    carried: tuple[Carried, ...] = ()


def iter_labelled(
    photos: Iterable[InputPhoto],
    models: Sequence[AnsweringModel],
    threads: int,
    batch_size: int = BATCH_SIZE,
    ahead: FetchingAhead | None = None,
) -> Generator[LabelledBatch]:
    """Yield the photos' labels batch by batch, in order.

    `threads` decode photos beside the models, and photos that are far away are fetched `ahead` of them. Only a few
    batches are in memory, however many photos come.
    """
    preprocessings = frozenset(model.card.preprocessing for model in models)
    ahead = ahead or FetchingAhead()
    decoder = PhotoDecoder(preprocessings, batch_size, threads, give_up=ahead.give_up)
    waiting: deque[Carried] = deque()
    decoded = decoder.iter_batches(_set_aside(ahead.start(photos), waiting))
    # Each model takes batches a little ahead of its answers; tee keeps those that not all have taken.
    own, *streams = tee(decoded, len(models) + 1)
    answers = [
        model.iter_label(_pixels_for(model, stream)) for model, stream in zip(models, streams, strict=True)
    ]
    try:
        for batch, *scores in zip(own, *answers, strict=True):
            quality = tuple(batch.quality[model.card.preprocessing] for model in models)
            carried = tuple(waiting.popleft() for _ in batch.names)
            yield LabelledBatch(batch.names, batch.reasons, tuple(scores), quality, carried)
    finally:
        decoded.close()


def _set_aside(photos: Iterable[InputPhoto], waiting: deque[Carried]) -> Iterator[InputPhoto]:
    """Yield photos and keep what they carry, in their order, which is also that of the batches."""
    for photo in photos:
        waiting.append(photo.carried)
        yield photo


def _pixels_for(model: AnsweringModel, batches: Iterable[DecodedBatch]) -> Iterator[npt.NDArray[np.uint8]]:
    preprocessing = model.card.preprocessing
    return (batch.pixels[preprocessing] for batch in batches)
