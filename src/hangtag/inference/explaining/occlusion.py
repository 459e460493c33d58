"""Occlusion maps: what a class loses when a part of the photo is covered. Works for any network."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from hangtag.imaging.preprocess import Pixels, border_colour
from hangtag.inference.engine import Engine
from hangtag.inference.explaining.surface import Axis, Values, spread

COVERS_ALONG: Final = 6
"""How many covers, side by side, are as long as the photo's shorter side. Measured: `docs/heat-maps.md`."""

_UNCHANGED: Final = 8
"""A part that differs from the cover by so little, of 255, loses nothing: the background need not be covered."""


def render_occlusion(engine: Engine, pixels: Pixels, classes: Mapping[str, int]) -> dict[str, Values]:
    """Return what spoke for these classes, by column: float32 (height, width) of uint8 pixels (height, width, 3).

    A square in the photo's own border colour moves over it in steps of half its side. At its place stands what it
    costs the class in log odds (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014;
    log odds, since a probability close to 1 hides what was lost).
    """
    height, width = size = pixels.shape[:2]
    side = max(2, round(min(size) / COVERS_ALONG))
    rows, columns = (_centres(length, side) for length in (height, width))
    covered, places = _cover(pixels, (rows, columns), side)
    logits = engine.run(np.concatenate([pixels[None], covered]))
    found = {}
    for column, index in classes.items():
        odds = _log_odds(logits[column], index)
        lost = np.zeros((rows.count, columns.count), np.float32)
        lost[places] = odds[0] - odds[1:]
        found[column] = spread(lost, rows, columns, (height, width))
    return found


def _centres(length: int, side: int) -> Axis:
    """Return where the cover's middle stands: from edge to edge, so that those are covered as often as the rest."""
    count = 1 + max(1, round(length / (side / 2)))
    return Axis(count, 0.0, (length - 1) / (count - 1))


def _cover(
    pixels: Pixels, axes: tuple[Axis, Axis], side: int
) -> tuple[npt.NDArray[np.uint8], tuple[npt.NDArray[np.intp], ...]]:
    """Return the covered copies, uint8 (n, height, width, 3), that differ from the photo, and their places."""
    colour = border_colour(pixels)
    differs = (np.abs(pixels.astype(np.int16) - colour) > _UNCHANGED).any(axis=2)
    is_asked = np.zeros([axis.count for axis in axes], bool)
    copies = []
    for place in np.ndindex(is_asked.shape):
        window = tuple(_window(axis, position, side) for axis, position in zip(axes, place, strict=True))
        if differs[window].any():
            is_asked[place] = True
            copy = pixels.copy()
            copy[window] = colour
            copies.append(copy)
    shape = (len(copies), *pixels.shape)
    return np.array(copies, np.uint8).reshape(shape), np.nonzero(is_asked)


def _window(axis: Axis, position: int, side: int) -> slice:
    start = round(axis.first + axis.stride * position - (side - 1) / 2)
    return slice(max(0, start), start + side)


def _log_odds(logits: Values, index: int) -> npt.NDArray[np.float64]:
    """Return `log(p / (1 - p))` of a class, shape (n,); of a head with one class, its logit."""
    exact = logits.astype(float)
    others = np.delete(exact, index, axis=1)
    odds = exact[:, index] - np.logaddexp.reduce(others, axis=1) if others.shape[1] else exact[:, index]
    return np.asarray(odds, float)
