"""Values on a grid and on all pixels: spread smoothly, also from the maps of several shifted copies of a photo."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from hangtag.imaging.preprocess import Pixels, border_colour

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


MAX_PARTS: Final = 4
"""Into how many parts a cell is divided along each axis, at most: so many times so many copies are looked at."""


@dataclass(frozen=True, slots=True)
class Shifts:
    """By how many pixels copies are shifted along one axis, falling and evenly; `axis` holds the cells of all copies.

    A cell of a copy that is shifted by `by` looks at what lies `by` pixels before its own place in the photo, so that
    the cells of all copies lie between each other.
    """

    by: tuple[int, ...]
    axis: Axis

    @classmethod
    def of(cls, axis: Axis) -> Self:
        """Divide the cells of an axis into as many equal parts of whole pixels as there may be."""
        stride = max(1, round(axis.stride))
        parts = max(count for count in range(1, MAX_PARTS + 1) if stride % count == 0)
        step = stride // parts
        by = tuple(step * (parts - 1) // 2 - step * part for part in range(parts))
        return cls(by, Axis(axis.count * parts, axis.first - by[0], axis.stride / parts))


@dataclass(frozen=True, slots=True)
class Views:
    """The copies of a photo that are looked at, shifted along both axes."""

    rows: Shifts
    columns: Shifts

    def copy(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        """Return the copies, uint8 (n, height, width, 3), of uint8 (height, width, 3); behind them is their border."""
        height, width = pixels.shape[:2]
        above, left = (max(map(abs, shifts.by)) for shifts in (self.rows, self.columns))
        wide = np.empty((height + 2 * above, width + 2 * left, 3), np.uint8)
        wide[:] = border_colour(pixels)
        wide[above : above + height, left : left + width] = pixels
        corners = [(above - down, left - right) for down in self.rows.by for right in self.columns.by]
        return np.stack([wide[y : y + height, x : x + width] for y, x in corners])

    def stitch(self, maps: Values, size: tuple[int, int]) -> Values:
        """Return one map (..., height, width) from the maps of the copies: float32 (..., n, rows, columns)."""
        *others, _, rows, columns = maps.shape
        down, right = len(self.rows.by), len(self.columns.by)
        parts = np.moveaxis(maps.reshape(*others, down, right, rows, columns), (-4, -3), (-3, -1))
        fine = parts.reshape(*others, rows * down, columns * right)
        return spread(fine, self.rows.axis, self.columns.axis, size)
