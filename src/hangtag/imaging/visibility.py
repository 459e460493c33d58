"""Quality flags of a photo from its pixels and size, cheap enough to compute for every photo."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hangtag.domain.prediction import Flag
from hangtag.imaging.preprocess import Box, Pixels, Preprocessing

Flagged = npt.NDArray[np.bool_]
"""Which photos have which flags: bool of shape (n, flags), in the order of `QUALITY_FLAGS`."""

_Floats = npt.NDArray[np.float32]

QUALITY_FLAGS: Final = (Flag.BLANK, Flag.TOO_SMALL, Flag.TOO_DARK, Flag.BLURRED)

VISIBLE_CONTRAST: Final = 3.0
"""A photo is blank if the standard deviation of its brightness (0 to 255 levels) is below this.

Of the 39,655 photos of the catalogue that the project was measured on, 5 are below it (very pale ear studs on white);
one in two thousand is below 4.5.
"""

DARK_LEVEL: Final = 75.0
"""A photo is too dark if its mean brightness plus two standard deviations is below this level.

This flags no photo of that catalogue, black shoes included, and none of 255 photos taken by ordinary people. With the
light of those reduced to a fifth it flags all of them, at three tenths 73 %.
"""

SMALL_SCALE: Final = 2.0
"""A photo is too small if it would have to be enlarged by more than this to reach the model's detail size.

This flags no photo of that catalogue (they have 60x80 pixels, the smallest 53x80), and every one reduced to 28x37.
"""

BLURRED_SHARPNESS: Final = 1.2
"""A photo is blurred if its `sharpness`, times the square of its enlargement, is below this.

This flags 27 photos of that catalogue, and none of the 255 others. After a Gaussian blur of a sixtieth of the
photo's width, it flags 99 to 100 % of both.
"""

_EVERY: Final = 2
"""Only every second row and column of pixels is used, which gives the same result."""

_AT_A_TIME: Final = 8
"""How many photos are processed together: fewer calls, and the data still fits into the processor's cache."""

_GREEN: Final = 1
"""Green stands in for brightness: it is the largest part of it, and needs no conversion."""


def flag_photos(pixels: Pixels, sizes: Sequence[tuple[int, int]], preprocessing: Preprocessing) -> Flagged:
    """Return the flags of n preprocessed photos, uint8 of shape (n, height, width, 3), n >= 0.

    `sizes` are their decoded (width, height).
    """
    framings = [_frame(size, preprocessing) for size in sizes]
    parts = [slice(start, start + _AT_A_TIME) for start in range(0, len(pixels), _AT_A_TIME)]
    flagged = [_flag_some(pixels[part, :, :, _GREEN], framings[part]) for part in parts]
    return np.concatenate([np.empty((0, len(QUALITY_FLAGS)), np.bool_), *flagged])


def _flag_some(brightness: Pixels, framings: Sequence["_Framing"]) -> Flagged:
    rows = brightness[:, ::_EVERY].astype(np.float32)
    enlarged = np.array([framing.enlarged for framing in framings], np.float32)
    sharp = _sharpness(brightness, rows, [framing.box for framing in framings]) * enlarged**2
    mean, contrast = _mean_and_deviation(rows)
    small = np.array([framing.missing > SMALL_SCALE for framing in framings], np.bool_)
    blank = contrast < VISIBLE_CONTRAST
    dark = mean + 2 * contrast < DARK_LEVEL
    blurred = ~blank & ~small & (sharp < BLURRED_SHARPNESS)
    return np.stack([blank, small, dark, blurred], axis=1)


class _Framing(NamedTuple):
    """Where a photo is among the pixels, the factor by which it lacks detail, and its enlargement."""

    box: Box
    missing: float
    enlarged: float


@lru_cache(maxsize=4096)
def _frame(size: tuple[int, int], preprocessing: Preprocessing) -> _Framing:
    box = preprocessing.box_of(size)
    missing = min(preprocessing.detail_width / size[0], preprocessing.detail_height / size[1])
    return _Framing(box, missing, max(1.0, box.width / (size[0] * min(1.0, missing))))


def _mean_and_deviation(values: _Floats) -> tuple[_Floats, _Floats]:
    """Return the mean and the standard deviation of each photo, both of shape (n,). Overwrites the values."""
    flat = values.reshape(len(values), -1)
    mean = flat.mean(axis=1)
    flat -= mean[:, None]
    return mean, np.sqrt(_energy(flat) / np.float32(flat.shape[1]))


def _sharpness(brightness: Pixels, rows: _Floats, boxes: Sequence[Box]) -> _Floats:
    """Return the sharpness of n photos, shape (n,), from their brightness, uint8 (n, height, width), and its `rows`.

    Sharpness is the energy of the second differences divided by that of the first: the mean square of the spatial
    frequencies, weighted by their contribution to the edges. So neither a plain garment nor a faint one counts as
    blurred. (The usual measure, the energy of the Laplacian alone, depends on both: Pertuz, Puig, Garcia: Analysis of
    focus measure operators, Pattern Recognition 2013.) `rows` are the sampled rows as floats. `boxes` are the places
    of the photos; edges towards the surrounding border colour do not count.
    """
    columns = brightness[:, :, ::_EVERY].astype(np.float32)
    first, second = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    for axis, lines in ((1, columns), (2, rows)):
        slopes = _differences(lines, axis)
        curves = _differences(slopes, axis)
        _forget_borders(slopes, curves, boxes, axis)
        first += _energy(slopes)
        second += _energy(curves)
    return np.asarray(second / np.maximum(first, 1), np.float32)


def _differences(values: _Floats, axis: int) -> _Floats:
    """Do the same as `np.diff`, at half the cost for arrays as small as these."""
    if axis == 1:
        return values[:, 1:] - values[:, :-1]
    return values[:, :, 1:] - values[:, :, :-1]


def _forget_borders(slopes: _Floats, curves: _Floats, boxes: Sequence[Box], axis: int) -> None:
    length = slopes.shape[axis] + 1
    sides = [(box.top, box.height) if axis == 1 else (box.left, box.width) for box in boxes]
    for photo, (start, size) in enumerate(sides):
        if size == length:
            continue
        for edge in {start, start + size} - {0, length}:
            _along(slopes[photo], axis)[edge - 1] = 0
            _along(curves[photo], axis)[max(0, edge - 2) : edge] = 0


def _along(photo: _Floats, axis: int) -> _Floats:
    return photo if axis == 1 else photo.T


def _energy(values: _Floats) -> _Floats:
    flat = values.reshape(len(values), -1)
    return np.asarray(np.einsum("ij,ij->i", flat, flat), np.float32)
