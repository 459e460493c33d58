"""Measuring this machine: find the fastest setting and store it for later runs."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from hangtag.bundle.file import DEFAULT_NAME, Bundle, find_bundle, read_bundle
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.imaging.batches import PhotoDecoder
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.imaging.preprocess import Pixels, Preprocessing
from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.engine import BATCH_SIZE, Engine
from hangtag.inference.measured import (
    EngineSetting,
    Named,
    Timing,
    choose_setting,
    forget,
    list_settings,
    measurements_file,
    remember,
    time_in_turn,
)
from hangtag.inference.predicting import BATCH_SIZE as DECODED_AT_A_TIME
from hangtag.inference.predicting import DecodeSettings, predict_photos
from hangtag.inference.runtime import count_usable_cpus
from hangtag.inference.selection import Forms, build_engine
from hangtag.labelling.inputs import PhotoFile, PhotoWalk
from hangtag.labelling.inputs.photo import InputPhoto
from hangtag.pipelines.arguments import AnyPath, checked

BATCH_SIZES: Final = (BATCH_SIZE, 8, 32)
"""The engine's batch sizes to measure, the default first."""

READING: Final = "reading files"
DECODING: Final = "reading, decoding, preparing"


class Timer(Protocol):
    """Times functions in turn, as `time_in_turn` does."""

    def __call__(self, works: Mapping[Named, Callable[[], object]], /) -> dict[Named, float]:
        """Return the seconds of each function by name."""
        ...


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured: photos, the processors to use, and the bundle of each available precision."""

    photos: Sequence[InputPhoto]
    processors: int
    offered: Mapping[str, Bundle]

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing, which is the same for every precision of a model."""
        return next(iter(self.offered.values())).card.preprocessing


def read_all(photos: Sequence[InputPhoto]) -> None:
    """Read every photo. Unreadable ones are included in the time."""
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
    """Run the network on preprocessed pixels, uint8 (n, height, width, 3)."""
    starts = range(0, len(pixels), DECODED_AT_A_TIME)
    for _ in engine.iter_run(pixels[start : start + DECODED_AT_A_TIME] for start in starts):
        pass


def label_all(photos: Sequence[InputPhoto], engine: Engine, threads: int) -> None:
    """Run the whole pipeline, from files to predictions."""
    for _ in predict_photos(photos, [engine], DecodeSettings(threads)):
        pass


def time_engines(workload: Workload, timer: Timer) -> dict[Engine, Timing]:
    """Return the timing of each setting of the engine on preprocessed pixels, the plainest setting first."""
    size = workload.preprocessing
    shape = (len(workload.photos), size.height, size.width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    settings = list_settings(workload.offered, workload.processors, BATCH_SIZES)
    engines = {build_engine(workload.offered[setting.precision], setting): setting for setting in settings}
    seconds = timer({engine: partial(run_engine, engine, pixels) for engine in engines})
    return {engine: Timing(setting, len(pixels) / seconds[engine]) for engine, setting in engines.items()}


def time_parts(workload: Workload, engines: Mapping[str, Engine], timer: Timer) -> dict[str, float]:
    """Return how many photos per second are read, decoded, and labelled by each engine, given by name."""
    photos, processors = workload.photos, workload.processors
    seconds = timer(
        {
            READING: partial(read_all, photos),
            DECODING: partial(decode_all, photos, workload.preprocessing, processors),
            **{name: partial(label_all, photos, engine, processors) for name, engine in engines.items()},
        }
    )
    return {name: len(photos) / taken for name, taken in seconds.items()}


_PHOTO_QUALITY: Final = 90
_WHOLE: Final = "from files to labels, {}"


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements, with the number of photos and of processors.

    `timings` are those of the network alone, `rates` the images per second of each step. `setting` is the fastest that
    the card allows, None if it allows none; `kept_in` is the file that it is stored in, if any.
    """

    photos: int
    processors: int
    timings: Sequence[Timing]
    allowed: Sequence[str]
    rates: Mapping[str, float]
    setting: EngineSetting | None
    kept_in: Path | None


@checked
def bench(
    model: str = DEFAULT_NAME,
    *,
    photos: AnyPath | None = None,
    count: int = 512,
    rounds: int = 5,
    store: bool = True,
) -> Measured:
    """Measure reading, decoding and the network, alone and together, in every precision that the model offers.

    `photos` is a folder to measure with, by default the sample photos. Each of the `rounds` uses `count` photos; fewer
    photos are repeated. With `store`, the fastest setting is used whenever the precision is auto.

    Raises `UsageError` if the folder has no photo.
    """
    forms = Forms.of(read_bundle(find_bundle(model)))
    with tempfile.TemporaryDirectory(prefix="hangtag-") as folder:
        found = _find_photos(_draw_photos(Path(folder)) if photos is None else Path(photos), count)
        workload = Workload(found, count_usable_cpus(), forms.offered)
        timer = partial(time_in_turn, rounds=rounds)
        engines = time_engines(workload, timer)
        timings = list(engines.values())
        best = [choose_setting(timings, [precision]) for precision in forms.offered]
        whole = {
            _WHOLE.format(timing.setting.precision): engine
            for engine, timing in engines.items()
            if timing.setting in best
        }
        rates = time_parts(workload, whole, timer)
    setting = choose_setting(timings, forms.allowed)
    kept_in = measurements_file() if store and setting is not None else None
    if kept_in is not None:
        remember(kept_in, forms.record(timings))
    return Measured(len(found), workload.processors, timings, forms.allowed, rates, setting, kept_in)


def forget_measurements() -> Path | None:
    """Remove the measurements of this machine. Return the file, or None if there was none."""
    path = measurements_file()
    return path if path is not None and forget(path) else None


def _draw_photos(folder: Path) -> Path:
    """Write the sample photos as JPEG files, as shops store them."""
    for name, image in load_sample_photos().items():
        image.save(folder / f"{name}.jpg", quality=_PHOTO_QUALITY)
    return folder


def _find_photos(folder: Path, count: int) -> list[PhotoFile]:
    found = list(islice(PhotoWalk([folder]), count))
    if not found:
        raise UsageError("there is no photo in this folder", where=folder)
    return list(islice(cycle(found), count))
