"""Which precision and which thread layout are the fastest here: measured in turn, chosen from what was measured."""

import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from hangtag.bundle.card import REFERENCE_PRECISION

EXACTNESS: Final = (REFERENCE_PRECISION, "bf16", "int8")
"""The precisions, the most exact one first."""

WORTH: Final = 1.03
"""How many times as fast a setting must be to go before a plainer one: less is what two measurements differ by."""

Named = TypeVar("Named")


@dataclass(frozen=True, slots=True, order=True)
class EngineSetting:
    """What an engine can be told: its precision, its threads, and how many photos it takes at a time."""

    precision: str
    threads: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast a setting was on ready pixels."""

    setting: EngineSetting
    images_per_s: float


def list_settings(
    precisions: Collection[str], processors: int, batch_sizes: Sequence[int]
) -> list[EngineSetting]:
    """Return what is worth measuring, the plainest first: each precision on all processors and on half of them.

    Half of them is right where two processors are one core. `batch_sizes` begins with the usual one; the others are
    measured on all processors alone.
    """
    ordered = [precision for precision in EXACTNESS if precision in precisions]
    halves = [processors, processors // 2] if processors > 1 else [processors]
    usual, *others = batch_sizes
    layouts = [(threads, usual) for threads in halves] + [(processors, size) for size in others]
    return [EngineSetting(precision, *layout) for precision in ordered for layout in layouts]


def choose_setting(timings: Sequence[Timing], allowed: Collection[str]) -> EngineSetting | None:
    """Return the fastest setting whose precision is allowed, None when there is none.

    `timings` stand in the order of `list_settings`: a later one must be `WORTH` times as fast as what it replaces, so
    that chance chooses neither less exact numbers nor an odd layout.
    """
    best: Timing | None = None
    for timing in timings:
        if timing.setting.precision not in allowed:
            continue
        if best is None or timing.images_per_s >= WORTH * best.images_per_s:
            best = timing
    return None if best is None else best.setting


def time_in_turn(
    works: Mapping[Named, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[Named, float]:
    """Return the median seconds of each work. They run in turn, so that whatever else the machine does slows all alike.

    Each runs once before, uncounted: the first time pays for compilation and caches.
    """
    for work in works.values():
        work()
    seconds: dict[Named, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started = clock()
            work()
            seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}
