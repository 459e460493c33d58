"""The colours of the product in a photo, without the background: hex codes with their shares."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

_SIDE: Final = 96
"""Photos are reduced to fit into a square of this side, in pixels, before colours are counted."""

_BACKGROUND_DISTANCE: Final = 14.0
"""Pixels this close to the border's colour, in CIE 1976 L*a*b*, and joined to the border, are background."""

_SAME_COLOUR: Final = 16.0
"""Clusters closer than this look like one colour (CIE76; 2.3 is a just noticeable difference)."""

_CLUSTERS: Final = 6
_ROUNDS: Final = 8
_LEAST_SHARE: Final = 0.06
_LEAST_GARMENT: Final = 0.02
_WHITE: Final = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)

_Floats = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]


class PhotoColour(NamedTuple):
    """A colour of a garment as `#1f3a5f`, and its share of the garment's pixels, 0 to 1."""

    hex: str
    share: float


def dominant_colours(image: Image.Image, count: int = 3) -> list[PhotoColour]:
    """Return the dominant colours of what a photo shows, at most `count`, the largest first.

    The background is everything that looks like the photo's border and is connected to it. If nothing else is left, as
    with a white shirt on white, the whole photo counts.
    """
    small = image.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    pixels = np.asarray(small, np.float64)
    lab = _to_lab(pixels)
    garment = ~_find_background(lab)
    if garment.mean() < _LEAST_GARMENT:
        garment[:] = True
    return _cluster(lab[garment], pixels[garment])[:count]


def _find_background(lab: _Floats) -> _Mask:
    """Return which pixels are background, (height, width): like the border's median colour, and connected to it."""
    border = np.concatenate([lab[0], lab[-1], lab[1:-1, 0], lab[1:-1, -1]])
    alike = np.linalg.norm(lab - np.median(border, axis=0), axis=2) < _BACKGROUND_DISTANCE
    reached: _Mask = np.zeros(alike.shape, np.bool_)
    reached[[0, -1], :] = alike[[0, -1], :]
    reached[:, [0, -1]] = alike[:, [0, -1]]
    while True:  # it grows by a pixel per round, along rows and columns
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= alike
        if np.array_equal(grown, reached):
            return reached
        reached = grown


def _cluster(lab: _Floats, pixels: _Floats) -> list[PhotoColour]:
    """Cluster colours by k-means, starting from lightness quantiles, so that a photo always gives the same result."""
    order = np.argsort(lab[:, 0], kind="stable")
    starts = order[np.linspace(0, len(order) - 1, _CLUSTERS).round().astype(int)]
    centres = lab[starts]
    nearest = np.zeros(len(lab), int)
    for _ in range(_ROUNDS):
        nearest = np.linalg.norm(lab[:, None] - centres[None], axis=2).argmin(axis=1)
        centres = np.array(
            [
                lab[nearest == place].mean(axis=0) if (nearest == place).any() else centres[place]
                for place in range(len(centres))
            ]
        )
    return _merge(nearest, centres, pixels)


def _merge(nearest: npt.NDArray[np.int_], centres: _Floats, pixels: _Floats) -> list[PhotoColour]:
    """Merge clusters that look alike, and drop very small ones, such as edges."""
    counts = np.bincount(nearest, minlength=len(centres))
    groups: list[list[int]] = []
    for place in np.argsort(-counts, kind="stable").tolist():
        if not counts[place]:
            continue
        near = [
            group for group in groups if np.linalg.norm(centres[group[0]] - centres[place]) < _SAME_COLOUR
        ]
        if near:
            near[0].append(place)
        else:
            groups.append([place])
    found = []
    for group in groups:
        members = np.isin(nearest, group)
        red, green, blue = np.median(pixels[members], axis=0).round().astype(int).tolist()
        found.append(PhotoColour(f"#{red:02x}{green:02x}{blue:02x}", float(members.mean())))
    found.sort(key=lambda colour: -colour.share)
    return [colour for colour in found if colour.share >= _LEAST_SHARE] or found[:1]


def _to_lab(pixels: _Floats) -> _Floats:
    """Convert sRGB, 0 to 255, to CIE L*a*b* under D65 (IEC 61966-2-1; CIE 15)."""
    scaled = pixels / 255
    linear = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - sRGB's
    xyz = linear @ _TO_XYZ.T / _WHITE
    bent = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = bent[..., 0], bent[..., 1], bent[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
