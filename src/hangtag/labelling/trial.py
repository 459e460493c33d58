"""Measuring the steps of labelling on this machine, and the settings of the engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np

from hangtag.bundle.file import Bundle
from hangtag.domain.errors import PhotoError
from hangtag.imaging.batches import PhotoDecoder
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.imaging.preprocess import Pixels, Preprocessing
from hangtag.inference.engine import BATCH_SIZE, Engine
from hangtag.inference.measured import Named, Timing, list_settings
from hangtag.inference.predicting import BATCH_SIZE as DECODED_AT_A_TIME
from hangtag.inference.predicting import DecodeSettings, predict_photos
from hangtag.inference.selection import build_engine
from hangtag.labelling.inputs.photo import InputPhoto

BATCH_SIZES: Final = (BATCH_SIZE, 8, 32)
"""The batches of the engine that are measured, the usual one first."""

READING: Final = "reading files"
DECODING: Final = "reading, decoding, preparing"


class Timer(Protocol):
    """Measures works in turn, as `time_in_turn` does."""

    def __call__(self, works: Mapping[Named, Callable[[], object]], /) -> dict[Named, float]:
        """Return the seconds of each work by its name."""
        ...


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured: photos, the processors to use, and the bundle of each precision that is offered."""

    photos: Sequence[InputPhoto]
    processors: int
    offered: Mapping[str, Bundle]

    @property
    def preprocessing(self) -> Preprocessing:
        """How the photos are prepared; the same for every precision of one model."""
        return next(iter(self.offered.values())).card.preprocessing


def read_all(photos: Sequence[InputPhoto]) -> None:
    """Read every photo; one that cannot be read costs what it costs."""
    for photo in photos:
        try:
            photo.read(DEFAULT_LIMITS)
        except PhotoError:
            continue


def decode_all(photos: Sequence[InputPhoto], preprocessing: Preprocessing, threads: int) -> None:
    """Read, decode and preprocess every photo."""
    for _ in PhotoDecoder(frozenset([preprocessing]), DECODED_AT_A_TIME, threads).iter_batches(photos):
        pass


def run_engine(engine: Engine, pixels: Pixels) -> None:
    """Run the network on ready pixels, uint8 (n, height, width, 3)."""
    starts = range(0, len(pixels), DECODED_AT_A_TIME)
    for _ in engine.iter_run(pixels[start : start + DECODED_AT_A_TIME] for start in starts):
        pass


def label_all(photos: Sequence[InputPhoto], engine: Engine, threads: int) -> None:
    """Go the whole way, from files to answers."""
    for _ in predict_photos(photos, [engine], DecodeSettings(threads)):
        pass


def time_engines(workload: Workload, timer: Timer) -> dict[Engine, Timing]:
    """Return the timing of each setting of the engine, alone on ready pixels, the plainest setting first."""
    size = workload.preprocessing
    shape = (len(workload.photos), size.height, size.width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    settings = list_settings(workload.offered, workload.processors, BATCH_SIZES)
    engines = {build_engine(workload.offered[setting.precision], setting): setting for setting in settings}
    seconds = timer({engine: partial(run_engine, engine, pixels) for engine in engines})
    return {engine: Timing(setting, len(pixels) / seconds[engine]) for engine, setting in engines.items()}


def time_parts(workload: Workload, engines: Mapping[str, Engine], timer: Timer) -> dict[str, float]:
    """Return how many photos a second are read, decoded, and labelled by each engine, given by name."""
    photos, processors = workload.photos, workload.processors
    seconds = timer(
        {
            READING: partial(read_all, photos),
            DECODING: partial(decode_all, photos, workload.preprocessing, processors),
            **{name: partial(label_all, photos, engine, processors) for name, engine in engines.items()},
        }
    )
    return {name: len(photos) / taken for name, taken in seconds.items()}
