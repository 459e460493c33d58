"""How good a model is in a shop, told by checks that nobody chose, and how many more it needs.

Only photos drawn at random count: those that were suggested are the hard ones, and those that a person picked are
anything. `draw_control` draws them among all photos, whatever the model says of them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.inference.calibration import wilson_interval

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

CONTROL_SHARE: Final = 0.05
"""The share of photos that are checked for the figures alone."""

FEWEST_POINTS: Final = 3
"""A learning curve with fewer points tells nothing of its end."""

_FARTHEST: Final = 20
"""Beyond so many times the labels seen, a curve is a guess."""

_DIGEST_BYTES: Final = 8
_STEEPNESS: Final = np.linspace(0.1, 1.5, 29)
_FLOORS: Final = 40


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often labels are right: `share` of `checked`, 0 to 1, and its 95 % interval."""

    checked: int
    share: float
    interval: tuple[float, float]


def draw_control(names: Sequence[str], share: float = CONTROL_SHARE, seed: str = "") -> Ints:
    """Return the positions of the photos that are checked for the figures, in the order in which to check them.

    The same name is always drawn, or never, and in the same order. So photos that join later change nothing, and nobody
    can draw again until the figures please.
    """
    digests = [
        int.from_bytes(hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=_DIGEST_BYTES).digest())
        for name in names
    ]
    limit = int(share * 256**_DIGEST_BYTES)
    drawn = [position for position, digest in enumerate(digests) if digest < limit]
    return np.array(sorted(drawn, key=digests.__getitem__), np.int64)


def measure_accuracy(hits: Bools) -> Accuracy | None:
    """Return how often labels of randomly drawn photos were right, (n,); None of no photo."""
    if not len(hits):
        return None
    right = int(hits.sum())
    return Accuracy(len(hits), right / len(hits), wilson_interval(right, len(hits)))


def estimate_labels(curve: Mapping[int, float], target: float) -> int | None:
    """Return how many labels a model needs in all to be right as often as `target`, 0 to 1.

    `curve` holds accuracies, 0 to 1, by the number of labels. The error is taken to fall as a power of the labels
    towards a floor (Cortes et al.: Learning Curves, NIPS 1993). None if the curve is too short, or does not reach
    the target within twenty times the labels that it has.
    """
    if len(curve) < FEWEST_POINTS:
        return None
    counts = np.array(sorted(curve), np.float64)
    errors = np.array([1 - curve[int(count)] for count in counts])
    if errors[-1] <= 1 - target:
        return int(counts[np.flatnonzero(errors <= 1 - target)[0]])
    floor, factor, power = _fit_power(counts, errors)
    gap = 1 - target - floor
    if gap <= 0 or factor <= 0:
        return None
    needed = float((factor / gap) ** (1 / power))
    return int(np.ceil(needed)) if needed <= _FARTHEST * counts[-1] else None


def _fit_power(
    counts: npt.NDArray[np.float64], errors: npt.NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return floor, factor and power of `floor + factor * counts ** -power` that is closest to the errors."""
    weights = np.sqrt(counts)  # errors of more labels are known better, and say more of the end
    best = (np.inf, 0.0, 0.0, 1.0)
    for power in _STEEPNESS:
        falling = counts**-power
        for floor in np.linspace(0, max(float(errors.min()), 0), _FLOORS):
            factor = float(
                (weights * falling) @ (weights * (errors - floor)) / ((weights * falling) ** 2).sum()
            )
            loss = float(((weights * (errors - floor - factor * falling)) ** 2).sum())
            if loss < best[0]:
                best = (loss, float(floor), factor, float(power))
    return best[1:]
