"""Preprocessing: an RGB image becomes the pixels that a network sees.

It is described by a `Preprocessing`, which is stored in the bundle, so training, evaluation, the command line and the
server cannot differ.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.decode import decode_photo

Pixels = npt.NDArray[np.uint8]
"""Pixels of one photo, uint8 of shape (height, width, 3), RGB."""


class Box(NamedTuple):
    """A rectangle of pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an image is brought to a network's input size. All sizes are in pixels.

    The photo is scaled to fit into `width` x `height`, keeping its proportions, and centred on its own border colour.
    Before that, it is reduced to fit into `detail_width` x `detail_height`: a network trained on thumbnails has never
    seen more detail, and does worse on sharp photos.

    Raises `ValueError` for sizes that are not positive, or an unknown fit.
    """

    width: int
    height: int
    detail_width: int
    detail_height: int
    fit: Literal["border", "stretch"] = "border"

    def __post_init__(self) -> None:
        sizes = (self.width, self.height, self.detail_width, self.detail_height)
        if any(type(size) is not int or size < 1 for size in sizes):  # JSON also allows true and 112.0
            raise ValueError(f"sizes are positive whole numbers: {self}")
        if self.fit not in ("border", "stretch"):
            raise ValueError(f"fit is 'border' or 'stretch', not {self.fit!r}")

    def to_json(self) -> dict[str, int | str]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, int | str]) -> Self:
        """Build from the result of `to_json`. Raises `ValueError` if a field is missing, unknown or invalid."""
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise ValueError(f"preprocessing needs exactly the fields {sorted(names)}, got {sorted(values)}")
        return cls(**values)  # type: ignore[arg-type]  # the values are checked in __post_init__

    def apply(self, image: Image.Image) -> Pixels:
        """Return the image as uint8 of shape (height, width, 3)."""
        pixels = np.empty((self.height, self.width, 3), np.uint8)
        self.apply_into(image, pixels)
        return pixels

    def apply_into(self, image: Image.Image, pixels: Pixels) -> None:
        """Write the result of `apply` into `pixels`, uint8 of shape (height, width, 3), such as a place in a batch."""
        image = _reduce(image, (self.detail_width, self.detail_height))
        left, top, width, height = self.box_of(image.size)
        fitted = np.asarray(_resize(image, (width, height)))
        if (width, height) != (self.width, self.height):
            pixels[:] = border_colour(fitted)
        pixels[top : top + height, left : left + width] = fitted

    def box_of(self, size: tuple[int, int]) -> Box:
        """Return where a photo of size (width, height) is placed in the result of `apply`."""
        width, height = _reduced_size(size, (self.detail_width, self.detail_height))
        if self.fit == "stretch" or width * self.height == height * self.width:
            return Box(0, 0, self.width, self.height)
        scale = min(self.width / width, self.height / height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        return Box((self.width - inner[0]) // 2, (self.height - inner[1]) // 2, *inner)


def prepare_photo(data: bytes, preprocessing: Preprocessing, limits: DecodeLimits = DEFAULT_LIMITS) -> Pixels:
    """Decode a photo's bytes and preprocess it. Every network input is made this way.

    Raises `PhotoError` with the reason if the photo cannot be decoded.
    """
    return preprocessing.apply(decode_for(data, preprocessing, limits))


def decode_for(
    data: bytes, preprocessing: Preprocessing, limits: DecodeLimits = DEFAULT_LIMITS
) -> Image.Image:
    """Decode a photo's bytes to the upright RGB image that preprocessing starts from.

    Raises `PhotoError` with the reason if the photo cannot be decoded.
    """
    # Twice the detail leaves enough for the better filter that follows.
    at_least = (2 * preprocessing.detail_width, 2 * preprocessing.detail_height)
    return decode_photo(data, at_least=at_least, limits=limits)


def border_colour(pixels: Pixels) -> Pixels:
    """Return the median colour, shape (3,), of the outermost pixels of a photo."""
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    colour: Pixels = np.median(np.concatenate(edges), axis=0).astype(np.uint8)
    return colour


def _reduce(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    reduced = _reduced_size(image.size, size)
    if reduced == image.size:
        return image
    return image.resize(reduced, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _reduced_size(size: tuple[int, int], limit: tuple[int, int]) -> tuple[int, int]:
    scale = min(limit[0] / size[0], limit[1] / size[1])
    if scale >= 1:
        return size
    return (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
