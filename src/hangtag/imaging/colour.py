"""Colour management: photos with an embedded profile are converted to sRGB."""

import io
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from hangtag.imaging.profiles import Colours, build_profile, read_box_colours, read_png_colours

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

BACKGROUND: Final = (255, 255, 255)
"""The colour behind transparent pixels: catalogues are shot on white."""

LARGEST_PROFILE: Final = 4 << 20
"""A larger profile is treated as broken. Printing-press profiles have up to 3 MB."""

SAME_COLOURS: Final = 2
"""A profile that differs from sRGB by at most this many levels (of 0 to 255) is treated as sRGB."""

BOXED_FORMATS: Final = frozenset({"AVIF", "HEIF"})
"""Box-based formats (ISO 23008-12). One of the boxes declares the colours."""

_CONVERTIBLE: Final = frozenset({"L", "RGB", "CMYK"})
_GREY_AT_A_TIME: Final = 1 << 20
_SEARCHED: Final = frozenset({"I", "I;16", "F"})
"""The modes for which Pillow itself can find the highest level, ten times as fast."""

_SRGB_PROFILE: Final = build_profile(Colours()) or b""
"""With lcms's own sRGB profile, the blacks of printing profiles would be lifted, which browsers do not do."""

_GREYS: Final = frozenset({"1", "L", "LA", "La"})
_STEPS: Final = (0, 32, 64, 128, 192, 255)


def to_rgb(image: Image.Image, white: float | None) -> Image.Image:
    """Convert a decoded image to RGB in sRGB. `white` is the result of `find_white`.

    For an image that is a part of a photo, this gives the same part of the converted photo.
    """
    profile = image.info.get("icc_profile")
    if white is not None:
        return to_srgb(_eight_bit(image, white), profile)
    if image.has_transparency_data:  # RGB images too may declare one colour as transparent
        return _flatten(image, profile)
    return to_srgb(image.convert("RGB") if image.mode == "P" else image, profile)


def declare_colours(image: Image.Image, data: bytes) -> None:
    """Attach an ICC profile to an image whose header was read, if the file declares its colours without one."""
    if image.format == "PNG":
        colours, is_first = read_png_colours(data)
    elif image.format in BOXED_FORMATS:
        colours, is_first = read_box_colours(data), False
    else:
        return
    if colours is not None and (is_first or not _is_profile(image.info.get("icc_profile"))):
        is_grey = image.mode in _GREYS or image.mode.startswith("I")
        image.info["icc_profile"] = build_profile(colours, is_grey=is_grey)


def _is_profile(profile: object) -> bool:
    return isinstance(profile, bytes) and profile[36:40] == b"acsp"


def is_srgb(image: Image.Image) -> bool:
    """Return whether an image is already in sRGB and needs no conversion. Its header must have been read."""
    profile = image.info.get("icc_profile")
    if not profile or len(profile) > LARGEST_PROFILE:
        return image.mode != "CMYK"
    if image.mode in _GREYS or image.mode.startswith("I"):
        return image.mode == "1" or _find_converter(profile, "L") is None
    return image.mode != "CMYK" and _find_converter(profile, "RGB") is None


def find_white(image: Image.Image) -> float | None:
    """Return the level of white in a 16-bit, 32-bit or floating-point grey image; None for other images.

    It is the upper end of the smallest common range that holds all levels.
    """
    if not (image.mode.startswith("I") or image.mode == "F"):
        return None
    # Integers up to 1 are a dark photo. Fractions up to 1 are the usual range of floating-point images.
    ranges = (1.0, 255.0, 65_535.0) if image.mode == "F" else (255.0, 65_535.0)
    highest = _find_highest(image)
    return next((white for white in ranges if highest <= white), highest)


def _find_highest(image: Image.Image) -> float:
    if image.mode in _SEARCHED:
        _, highest = image.getextrema()
        if isinstance(highest, int | float) and np.isfinite(highest):
            return float(highest)
    rows = max(1, _GREY_AT_A_TIME // image.width)
    return max(
        float(_levels(image.crop((0, top, image.width, min(top + rows, image.height)))).max())
        for top in range(0, image.height, rows)
    )


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an 8-bit image with an ICC profile, or None, to RGB in sRGB.

    Colours count as sRGB if the profile is missing, broken or for another kind of image. If the profile is sRGB under
    another name, the pixels stay unchanged. A grey image may have an RGB profile.
    """
    if profile and len(profile) <= LARGEST_PROFILE and image.mode in _CONVERTIBLE:
        converter = _find_converter(profile, image.mode)
        if converter is not None:
            return converter(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=8)
def _find_converter(profile: bytes, mode: str) -> Callable[[Image.Image], Image.Image] | None:
    """Return a function that converts images from a profile to sRGB; None if that is not needed or not possible."""
    from PIL import ImageCms  # noqa: PLC0415 - few photos have another profile than sRGB

    samples = _sample_colours(mode)
    is_colourful_grey = mode == "L" and profile[16:20] == b"RGB "
    try:
        transform = ImageCms.buildTransform(
            io.BytesIO(profile),
            io.BytesIO(_SRGB_PROFILE),
            "RGB" if is_colourful_grey else mode,
            "RGB",
            flags=ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE,
        )
        found = transform.apply(samples.convert("RGB") if is_colourful_grey else samples)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    difference = np.asarray(found, np.int16) - np.asarray(samples.convert("RGB"), np.int16)
    if np.abs(difference).max() <= SAME_COLOURS:
        return None
    if mode == "L":
        return partial(_look_up, found)
    return transform.apply if mode == "RGB" else partial(_convert_inks, transform)


def _convert_inks(transform: "ImageCmsTransform", image: Image.Image) -> Image.Image:
    """Convert a CMYK image to RGB as Chromium does: black is folded into the other three inks."""
    inks = ImageChops.invert(image.convert("RGB"))
    return transform.apply(Image.merge("CMYK", [*inks.split(), Image.new("L", image.size)]))


def _look_up(found: Image.Image, image: Image.Image) -> Image.Image:
    """Convert a grey image to RGB with a table `found` of the 256 results; lcms's own shortcut is too coarse."""
    return Image.merge("RGB", [image.point(list(channel.tobytes())) for channel in found.split()])


def _sample_colours(mode: str) -> Image.Image:
    """Return a one-row image that samples the colours of a mode; for grey, all levels."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    steps = range(256) if mode == "L" else _STEPS
    grid = np.stack(np.meshgrid(*[steps] * channels), axis=-1).reshape(1, -1, channels).astype(np.uint8)
    return Image.frombytes(mode, (grid.shape[1], 1), grid.tobytes())


def _flatten(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Composite a transparent image on white. It may be large, so as few copies as possible are made."""
    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    colours = layer
    if profile:
        colours = to_srgb(image.convert("L" if image.mode in _GREYS else "RGB"), profile)
    background = Image.new("RGB", layer.size, BACKGROUND)
    background.paste(colours, mask=layer)
    return background


def _eight_bit(image: Image.Image, white: float) -> Image.Image:
    return Image.fromarray(np.clip(_levels(image) * (255.0 / white), 0, 255).astype(np.uint8))


def _levels(image: Image.Image) -> npt.NDArray[np.float32]:
    levels: npt.NDArray[np.float32] = np.asarray(image, dtype=np.float32)
    if image.mode == "F" and not np.isfinite(levels).all():
        return np.nan_to_num(levels, posinf=0.0, neginf=0.0)
    return levels
