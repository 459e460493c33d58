"""Colours as they were meant: photos with an embedded profile are brought to sRGB."""

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

SAME_COLOURS: Final = 2
"""A profile whose colours are at most so many levels (of 0 to 255) from sRGB's is taken for it."""

_CONVERTIBLE: Final = frozenset({"L", "RGB", "CMYK"})
_STEPS: Final = (0, 32, 64, 128, 192, 255)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the RGB image in sRGB of a photo of 8 bits whose file holds `profile`, an ICC profile, or None.

    Without a profile, with a broken one, or with one of another kind of image, the colours count as sRGB. So they do
    with a profile that is sRGB by another name: its pixels stay as they are.
    """
    if profile and image.mode in _CONVERTIBLE:
        transform = _find_transform(profile, image.mode)
        if transform is not None:
            return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=32)
def _find_transform(profile: bytes, mode: str) -> "ImageCmsTransform | None":
    """Return what brings images of a mode from a profile to sRGB; None where nothing has to be or can be done."""
    from PIL import ImageCms  # noqa: PLC0415 - few photos have another profile than sRGB

    try:
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(io.BytesIO(profile), target, mode, "RGB")
        samples = _sample_colours(mode)
        difference = np.asarray(transform.apply(samples), np.int16) - np.asarray(
            samples.convert("RGB"), np.int16
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return transform if np.abs(difference).max() > SAME_COLOURS else None


def _sample_colours(mode: str) -> Image.Image:
    """Return an image of one row that holds colours from all over a mode."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    grid = np.stack(np.meshgrid(*[_STEPS] * channels), axis=-1).reshape(1, -1, channels).astype(np.uint8)
    return Image.frombytes(mode, (grid.shape[1], 1), grid.tobytes())
