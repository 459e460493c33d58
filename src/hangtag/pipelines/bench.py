"""Measuring this machine: find the fastest setting and store it for later runs."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from hangtag.bundle.file import read_bundle
from hangtag.bundle.shipped import DEFAULT_NAME, find_bundle
from hangtag.domain.errors import UsageError
from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.measured import (
    EngineSetting,
    Timing,
    choose_setting,
    forget,
    measurements_file,
    remember,
    time_in_turn,
)
from hangtag.inference.runtime import count_usable_cpus
from hangtag.inference.selection import Forms
from hangtag.labelling.inputs import PhotoFile, PhotoWalk
from hangtag.labelling.trial import Workload, time_engines, time_parts
from hangtag.pipelines.arguments import AnyPath, checked

_PHOTO_QUALITY: Final = 90
_WHOLE: Final = "from files to labels, {}"


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements: with how many photos, and on how many processors.

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
    """Remove the measurements of this machine; return the file, or None if there was none."""
    path = measurements_file()
    return path if path is not None and forget(path) else None


def _draw_photos(folder: Path) -> Path:
    """Write the sample photos as a shop stores them: JPEG files."""
    for name, image in load_sample_photos().items():
        image.save(folder / f"{name}.jpg", quality=_PHOTO_QUALITY)
    return folder


def _find_photos(folder: Path, count: int) -> list[PhotoFile]:
    found = list(islice(PhotoWalk([folder]), count))
    if not found:
        raise UsageError("there is no photo in this folder", where=folder)
    return list(islice(cycle(found), count))
