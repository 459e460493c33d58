"""Colours as they were meant: photos with an embedded profile are brought to sRGB."""

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

PAPER: Final = (255, 255, 255)
"""What shows through transparent pixels: catalogues are shot on white."""

LARGEST_PROFILE: Final = 4 << 20
"""A profile of more bytes counts as broken. Those of printing presses have up to 3 MB."""

SAME_COLOURS: Final = 2
"""A profile whose colours are at most so many levels (of 0 to 255) from sRGB's is taken for it."""

_CONVERTIBLE: Final = frozenset({"L", "RGB", "CMYK"})
_GREY_AT_A_TIME: Final = 1 << 20
_STEPS: Final = (0, 32, 64, 128, 192, 255)


def to_rgb(image: Image.Image, white: float | None) -> Image.Image:
    """Return the RGB image in sRGB of a photo whose pixels are decoded; `white` is its `find_white`.

    An image of a part of a photo becomes that part of the photo's.
    """
    profile = image.info.get("icc_profile")
    if white is not None:
        return to_srgb(_eight_bit(image, white), profile)
    if image.has_transparency_data:  # an RGB image too, when its file names one colour as clear
        return _lay_on_paper(image, profile)
    return to_srgb(image.convert("RGB") if image.mode == "P" else image, profile)


def find_white(image: Image.Image) -> float | None:
    """Return the level that is white in grey of 16 bits, 32 bits or floating point; None for other images.

    It is the end of the smallest usual range that holds all levels.
    """
    if not (image.mode.startswith("I") or image.mode == "F"):
        return None
    # Whole numbers up to 1 are a dark photo, broken ones are the usual way to store floating point.
    ranges = (1.0, 255.0, 65_535.0) if image.mode == "F" else (255.0, 65_535.0)
    rows = max(1, _GREY_AT_A_TIME // image.width)
    highest = max(
        float(_levels(image.crop((0, top, image.width, min(top + rows, image.height)))).max())
        for top in range(0, image.height, rows)
    )
    return next((white for white in ranges if highest <= white), highest)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the RGB image in sRGB of a photo of 8 bits whose file holds `profile`, an ICC profile, or None.

    Without a profile, with a broken one, or with one of another kind of image, the colours count as sRGB. So they do
    with a profile that is sRGB by another name: its pixels stay as they are.
    """
    if profile and len(profile) <= LARGEST_PROFILE and image.mode in _CONVERTIBLE:
        transform = _find_transform(profile, image.mode)
        if transform is not None:
            return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=8)
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


def _lay_on_paper(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the RGB image that a transparent one is on paper, with as few copies as can be: it may be large."""
    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    colours = layer
    if profile:
        colours = to_srgb(image.convert("L" if image.mode in ("L", "LA", "La") else "RGB"), profile)
    paper = Image.new("RGB", layer.size, PAPER)
    paper.paste(colours, mask=layer)
    return paper


def _eight_bit(image: Image.Image, white: float) -> Image.Image:
    return Image.fromarray(np.clip(_levels(image) * (255.0 / white), 0, 255).astype(np.uint8))


def _levels(image: Image.Image) -> npt.NDArray[np.float32]:
    levels: npt.NDArray[np.float32] = np.nan_to_num(
        np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0
    )
    return levels
