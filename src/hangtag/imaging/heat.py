"""Drawing heat maps on photos, in colours that are also safe for colour-blind readers."""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from hangtag.imaging.preprocess import Box, Pixels

Heat = npt.NDArray[np.float32]
"""The importance of each pixel, float32 of shape (height, width), 0 to 1."""

SHADES: Final = 256
_STRENGTH: Final = 0.55
"""The opacity of the colours. Below 0.5 they are hard to read; above 0.75 the photo is."""

_PAPER: Final = 0.8
"""The brightness of white under the colours, so that cold areas of a white background look dark."""

# OKLab colours (lightness, a, b) from cold to hot: indigo, purple, red, orange, pale yellow. Lightness always rises.
_STOPS: Final = (
    (0.22, 0.015, -0.105),
    (0.38, 0.100, -0.120),
    (0.56, 0.185, 0.000),
    (0.70, 0.115, 0.120),
    (0.84, 0.015, 0.150),
    (0.97, -0.020, 0.090),
)
_LMS_FROM_OKLAB: Final = (
    (1, 0.3963377774, 0.2158037573),
    (1, -0.1055613458, -0.0638541728),
    (1, -0.0894841775, -1.2914855480),
)
_LINEAR_FROM_LMS: Final = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def render_overlay(image: Image.Image, heat: Heat) -> Image.Image:
    """Return the photo in grey under the colours of its heat map.

    `heat` has the photo's proportions and any size. Cold is dark and hot is bright. The photo is grey because its own
    colours could be mistaken for heat.
    """
    values = _resize(heat, image.size)
    grey = np.asarray(image.convert("L"), np.float32)[..., None]
    colours = heat_colours()[np.rint(values * (SHADES - 1)).astype(np.uint8)]
    mixed = (1 - _STRENGTH) * _PAPER * grey + _STRENGTH * colours
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def bring_to_photo(heat: Heat, box: Box, size: tuple[int, int]) -> Heat:
    """Map the heat of preprocessed pixels back to the photo, whose size is (width, height).

    `box` is the photo's place among the pixels (`Preprocessing.box_of`). Heat on the border is left out.
    """
    edges = (box.left, box.top, box.left + box.width, box.top + box.height)
    return _resize(heat, size, edges)


@cache
def heat_colours() -> Pixels:
    """Return the colours of the heat scale, from cold to hot: uint8 of shape (256, 3), RGB.

    Neighbours are equally far apart in OKLab (Ottosson 2020), so equal differences of heat look equal. Lightness always
    rises, so the order is visible without telling hues apart.
    """
    stops = np.array(_STOPS)
    lengths = np.linalg.norm(np.diff(stops, axis=0), axis=1)
    way = np.concatenate([[0.0], np.cumsum(lengths)])
    steps = np.linspace(0, way[-1], SHADES)
    oklab = np.stack([np.interp(steps, way, stops[:, axis]) for axis in range(3)], axis=1)
    linear = (oklab @ np.array(_LMS_FROM_OKLAB).T) ** 3 @ np.array(_LINEAR_FROM_LMS).T
    clipped = np.clip(linear, 0, 1)
    encoded = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)  # noqa: PLR2004 - sRGB's
    colours: Pixels = np.rint(255 * encoded).astype(np.uint8)
    return colours


def _resize(heat: Heat, size: tuple[int, int], edges: tuple[int, int, int, int] | None = None) -> Heat:
    image = Image.fromarray(np.ascontiguousarray(heat, np.float32))
    resized = np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=edges), np.float32)
    return np.clip(resized, 0, 1)
