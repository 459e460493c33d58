"""From a few values on a grid to one for each pixel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
"""Values by place, float32 of shape (..., rows, columns) of a grid or (..., height, width) of pixels."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a grid: `count` places, at `first + stride * position` pixels."""

    count: int
    first: float
    stride: float

    def weigh(self, size: int) -> Values:
        """Return how much each place counts for each of `size` pixels, float32 (size, count): a cubic B-spline."""
        places = self.first + self.stride * np.arange(self.count)
        pixels = np.clip(np.arange(size), places[0], places[-1])
        away = np.abs(pixels[:, None] - places) / self.stride
        weights = np.where(away < 1, 2 / 3 - away**2 + away**3 / 2, np.clip(2 - away, 0, None) ** 3 / 6)
        shares: Values = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares


def spread(values: Values, rows: Axis, columns: Axis, size: tuple[int, int]) -> Values:
    """Return values (..., rows, columns) as smooth values of all pixels (..., height, width), size (height, width)."""
    return np.asarray(rows.weigh(size[0]) @ values @ columns.weigh(size[1]).T, np.float32)
