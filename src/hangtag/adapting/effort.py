"""How good a model is in a shop, measured on random checks, and how many more checks it needs.

Only photos drawn at random count: suggested ones are the hard ones, and those that a person picked may be anything.
`draw_control` draws them among all photos, regardless of the model's predictions.
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
"""The share of photos that are checked only for measuring."""

FEWEST_POINTS: Final = 3
"""A learning curve with fewer points cannot be extrapolated."""

_FARTHEST: Final = 20
"""Beyond this many times the labels seen so far, extrapolating a curve is a guess."""

_DIGEST_BYTES: Final = 8
_STEEPNESS: Final = np.linspace(0.1, 1.5, 29)
_FLOORS: Final = 40


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of right labels among `checked`, 0 to 1, and its 95 % interval."""

    checked: int
    share: float
    interval: tuple[float, float]


def draw_control(names: Sequence[str], share: float = CONTROL_SHARE, seed: str = "") -> Ints:
    """Return the positions of the control photos, in the order in which to check them.

    A name is either always drawn or never, and the order never changes. So photos that are added later change nothing,
    and nobody can redraw until the figures look good.
    """
    digests = [
        int.from_bytes(hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=_DIGEST_BYTES).digest())
        for name in names
    ]
    limit = int(share * 256**_DIGEST_BYTES)
    drawn = [position for position, digest in enumerate(digests) if digest < limit]
    return np.array(sorted(drawn, key=digests.__getitem__), np.int64)


def measure_accuracy(hits: Bools) -> Accuracy | None:
    """Return the accuracy on randomly drawn photos, from hits (n,); None for no photos."""
    if not len(hits):
        return None
    right = int(hits.sum())
    return Accuracy(len(hits), right / len(hits), wilson_interval(right, len(hits)))


def estimate_labels(curve: Mapping[int, float], target: float) -> int | None:
    """Return how many labels a model needs in total to reach the accuracy `target`, 0 to 1.

    `curve` holds accuracies, 0 to 1, by the number of labels. The error is assumed to fall as a power of the labels
    towards a floor (Cortes et al.: Learning Curves, NIPS 1993). None if the curve is too short, or does not reach
    the target within twenty times its labels.
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
    """Return floor, factor and power of the function `floor + factor * counts ** -power` that fits the errors best."""
    # Errors measured with more labels are more precise, and closer to the end of the curve.
    weights = np.sqrt(counts)
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
