"""Interpolating values from a grid to pixels, also from the maps of several shifted copies of a photo."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from hangtag.imaging.preprocess import Pixels, border_colour

Values = npt.NDArray[np.float32]
"""Values by position, float32 of shape (..., rows, columns) for a grid or (..., height, width) for pixels."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a grid: `count` places, at `first + stride * position` pixels."""

    count: int
    first: float
    stride: float

    def weigh(self, size: int) -> Values:
        """Return the weight of each place for each of `size` pixels, float32 (size, count): a cubic B-spline."""
        places = self.first + self.stride * np.arange(self.count)
        pixels = np.clip(np.arange(size), places[0], places[-1])
        away = np.abs(pixels[:, None] - places) / self.stride
        weights = np.where(away < 1, 2 / 3 - away**2 + away**3 / 2, np.clip(2 - away, 0, None) ** 3 / 6)
        shares: Values = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares


def spread(values: Values, rows: Axis, columns: Axis, size: tuple[int, int]) -> Values:
    """Interpolate values (..., rows, columns) smoothly to all pixels (..., height, width), size (height, width)."""
    return np.asarray(rows.weigh(size[0]) @ values @ columns.weigh(size[1]).T, np.float32)


MAX_PARTS: Final = 4
"""The largest number of parts into which a cell is divided along each axis. There is a copy for each part."""


@dataclass(frozen=True, slots=True)
class Shifts:
    """The pixels by which copies are shifted along one axis, descending in even steps; `axis` has all copies' cells.

    A cell in a copy shifted by `by` sees what is `by` pixels before its own position in the photo, so the cells of all
    copies interleave.
    """

    by: tuple[int, ...]
    axis: Axis

    @classmethod
    def of(cls, axis: Axis) -> Self:
        """Divide the cells of an axis into as many equal parts of whole pixels as allowed."""
        stride = max(1, round(axis.stride))
        parts = max(count for count in range(1, MAX_PARTS + 1) if stride % count == 0)
        step = stride // parts
        by = tuple(step * (parts - 1) // 2 - step * part for part in range(parts))
        return cls(by, Axis(axis.count * parts, axis.first - by[0], axis.stride / parts))


@dataclass(frozen=True, slots=True)
class Views:
    """The copies of a photo, shifted along both axes."""

    rows: Shifts
    columns: Shifts

    def copy(self, pixels: Pixels) -> npt.NDArray[np.uint8]:
        """Return the copies, uint8 (n, height, width, 3), of uint8 pixels. Gaps are filled with the border colour."""
        height, width = pixels.shape[:2]
        above, left = (max(map(abs, shifts.by)) for shifts in (self.rows, self.columns))
        wide = np.empty((height + 2 * above, width + 2 * left, 3), np.uint8)
        wide[:] = border_colour(pixels)
        wide[above : above + height, left : left + width] = pixels
        corners = [(above - down, left - right) for down in self.rows.by for right in self.columns.by]
        return np.stack([wide[y : y + height, x : x + width] for y, x in corners])

    def stitch(self, maps: Values, size: tuple[int, int]) -> Values:
        """Combine the maps of the copies, float32 (..., n, rows, columns), into one map (..., height, width)."""
        *others, _, rows, columns = maps.shape
        down, right = len(self.rows.by), len(self.columns.by)
        parts = np.moveaxis(maps.reshape(*others, down, right, rows, columns), (-4, -3), (-3, -1))
        fine = parts.reshape(*others, rows * down, columns * right)
        return spread(fine, self.rows.axis, self.columns.axis, size)
