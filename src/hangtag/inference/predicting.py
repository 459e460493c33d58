"""From photos to `Predictions`: photos are decoded on several threads while the models run."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import tee
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from hangtag.bundle.card import Card
from hangtag.domain.interrupts import deferring_interrupts
from hangtag.imaging.batches import DecodedBatch, PhotoDecoder, PhotoSource
from hangtag.imaging.budget import DecodeLimits
from hangtag.inference.predictions import Predictions
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.inference.runtime import count_usable_cpus

BATCH_SIZE: Final = 32
"""How many photos are decoded at a time: two batches of the engine, so that even few photos occupy several threads."""

Outputs = Mapping[str, npt.NDArray[np.float32]]
"""A graph's outputs for n photos: the logits by column, float32 (n, classes), and other outputs by name."""

Extra = Mapping[str, object]
"""A photo's extra columns: values by name."""

_NO_EXTRA: Final[Extra] = MappingProxyType({})

Photo = TypeVar("Photo", bound=PhotoSource)


class Predictor(Protocol):
    """Runs a model's graph. `Model` and `Engine` are predictors, and so is a fake in tests."""

    @property
    def card(self) -> Card:
        """The model's card."""
        ...

    def run(self, pixels: npt.NDArray[np.uint8]) -> Outputs:
        """Return the outputs for preprocessed photos, uint8 of shape (n, height, width, 3), n >= 0."""
        ...

    def iter_run(self, batches: Iterable[npt.NDArray[np.uint8]]) -> Iterator[Outputs]:
        """Yield the outputs of each batch, in order. Later batches are fetched while the graph runs."""
        ...


class Prefetcher(Protocol):
    """Starts to fetch remote photos before they are decoded."""

    def start(self, photos: Iterable[Any]) -> Iterator[PhotoSource]:
        """Yield the photos, and start to fetch each remote one."""
        ...

    def end_waits(self) -> None:
        """End all waits for photos. Called from a signal handler, so it must not take a lock."""
        ...

    def give_up(self) -> None:
        """Fetch nothing more, and end all waits."""
        ...


class NoPrefetch:
    """For photos that are all on this machine."""

    def start(self, photos: Iterable[Any]) -> Iterator[PhotoSource]:
        """Yield the photos."""
        return iter(photos)

    def end_waits(self) -> None:
        """Do nothing."""

    def give_up(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How photos are decoded: the threads (None: all processors), the photos per batch, and the limits.

    With `appearances`, the predictions also hold near-duplicate features.
    """

    threads: int | None = None
    batch_size: int = BATCH_SIZE
    limits: DecodeLimits = field(default_factory=DecodeLimits.from_environment)
    appearances: bool = False


def predict_photos(
    photos: Iterable[PhotoSource],
    models: Sequence[Predictor],
    settings: DecodeSettings | None = None,
    prefetcher: Prefetcher | None = None,
) -> Generator[tuple[Predictions, ...]]:
    """Yield the photos batch by batch, in order: for each batch the `Predictions` of each model.

    Photos that cannot be read or decoded keep their place. A photo's `extra` columns stay with it. Only a few batches
    are in memory, however many photos there are, and each photo is decoded once for all models with the same
    preprocessing. Ctrl-C ends the work between two batches.
    """
    settings, prefetcher = settings or DecodeSettings(), prefetcher or NoPrefetch()
    with (
        deferring_interrupts(prefetcher.end_waits) as let_through,
        closing(_iter_batches(photos, models, settings, prefetcher)) as batches,
    ):
        for batch in batches:
            let_through()  # before photos whose wait was ended count as failed
            yield batch


def _iter_batches(
    photos: Iterable[PhotoSource],
    models: Sequence[Predictor],
    settings: DecodeSettings,
    prefetcher: Prefetcher,
) -> Generator[tuple[Predictions, ...]]:
    preprocessings = frozenset(model.card.preprocessing for model in models)
    threads = settings.threads or count_usable_cpus()
    decoder = PhotoDecoder(
        preprocessings,
        settings.batch_size,
        threads,
        settings.limits,
        give_up=prefetcher.give_up,
        appearances=settings.appearances,
    )
    extras: deque[Extra] = deque()
    decoded = decoder.iter_batches(_collect_extras(prefetcher.start(photos), extras))
    # Each model reads a few batches ahead of its outputs; tee keeps the batches that some models still need.
    own, *streams = tee(decoded, len(models) + 1)
    answers = [_iter_built(model, stream) for model, stream in zip(models, streams, strict=True)]
    try:
        for batch, *found in zip(own, *answers, strict=True):
            extra = tuple(extras.popleft() for _ in batch.names)
            yield tuple(
                replace(predictions, extra=extra) if any(extra) else predictions for predictions in found
            )
    finally:
        decoded.close()


def _iter_built(model: Predictor, batches: Iterator[DecodedBatch]) -> Iterator[Predictions]:
    preprocessing = model.card.preprocessing
    builder = PredictionBuilder(model.card)
    own, fed = tee(batches)
    outputs = model.iter_run(batch.pixels[preprocessing] for batch in fed)
    for batch, found in zip(own, outputs, strict=True):
        predictions = builder.build(found, batch.quality[preprocessing])
        if batch.appearances is not None:
            predictions = replace(predictions, appearance=batch.appearances)
        yield predictions.place(batch.names, batch.errors)


def _collect_extras(photos: Iterable[Photo], extras: deque[Extra]) -> Iterator[Photo]:
    """Yield photos and store their extra columns in order, which is also the order of the batches."""
    for photo in photos:
        extras.append(getattr(photo, "extra", _NO_EXTRA))
        yield photo
