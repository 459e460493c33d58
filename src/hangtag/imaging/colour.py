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

PAPER: Final = (255, 255, 255)
"""What shows through transparent pixels: catalogues are shot on white."""

LARGEST_PROFILE: Final = 4 << 20
"""A profile of more bytes counts as broken. Those of printing presses have up to 3 MB."""

SAME_COLOURS: Final = 2
"""A profile whose colours are at most so many levels (of 0 to 255) from sRGB's is taken for it."""

BOXED_FORMATS: Final = frozenset({"AVIF", "HEIF"})
"""Formats whose files are made of boxes (ISO 23008-12), one of them for colours."""

_CONVERTIBLE: Final = frozenset({"L", "RGB", "CMYK"})
_GREY_AT_A_TIME: Final = 1 << 20
_SEARCHED: Final = frozenset({"I", "I;16", "F"})
"""The modes in which Pillow finds the highest level, in a tenth of the time."""

_SRGB_PROFILE: Final = build_profile(Colours()) or b""
"""That of lcms would have it lift the blacks of presses, which browsers do not."""

_GREYS: Final = frozenset({"1", "L", "LA", "La"})
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


def declare_colours(image: Image.Image, data: bytes) -> None:
    """Give an image whose header was read the profile of what its file declares in figures, where that counts."""
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


def keeps_numbers(image: Image.Image) -> bool:
    """Say whether an image is in sRGB already, so that its numbers stay as they are; its header has to be read."""
    profile = image.info.get("icc_profile")
    if not profile or len(profile) > LARGEST_PROFILE:
        return image.mode != "CMYK"
    if image.mode in _GREYS or image.mode.startswith("I"):
        return image.mode == "1" or _find_converter(profile, "L") is None
    return image.mode != "CMYK" and _find_converter(profile, "RGB") is None


def find_white(image: Image.Image) -> float | None:
    """Return the level that is white in grey of 16 bits, 32 bits or floating point; None for other images.

    It is the end of the smallest usual range that holds all levels.
    """
    if not (image.mode.startswith("I") or image.mode == "F"):
        return None
    # Whole numbers up to 1 are a dark photo, broken ones are the usual way to store floating point.
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
    """Return the RGB image in sRGB of a photo of 8 bits whose file holds `profile`, an ICC profile, or None.

    Without a profile, with a broken one, or with one of another kind of image, the colours count as sRGB. So they do
    with a profile that is sRGB by another name: its pixels stay unchanged. Grey may have a profile of colours.
    """
    if profile and len(profile) <= LARGEST_PROFILE and image.mode in _CONVERTIBLE:
        converter = _find_converter(profile, image.mode)
        if converter is not None:
            return converter(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=8)
def _find_converter(profile: bytes, mode: str) -> Callable[[Image.Image], Image.Image] | None:
    """Return what brings images of a mode from a profile to sRGB; None if nothing has to be or can be done."""
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
    """Return the RGB image of one in CMYK as Chromium shows it: its black becomes a part of the other three inks."""
    inks = ImageChops.invert(image.convert("RGB"))
    return transform.apply(Image.merge("CMYK", [*inks.split(), Image.new("L", image.size)]))


def _look_up(found: Image.Image, image: Image.Image) -> Image.Image:
    """Return the RGB image of a grey one, `found` being what the 256 greys become: a shortcut of lcms is too coarse."""
    return Image.merge("RGB", [image.point(list(channel.tobytes())) for channel in found.split()])


def _sample_colours(mode: str) -> Image.Image:
    """Return an image of one row that holds colours from all over a mode; of greys, all."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    steps = range(256) if mode == "L" else _STEPS
    grid = np.stack(np.meshgrid(*[steps] * channels), axis=-1).reshape(1, -1, channels).astype(np.uint8)
    return Image.frombytes(mode, (grid.shape[1], 1), grid.tobytes())


def _lay_on_paper(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the RGB image that a transparent one is on paper, with as few copies as can be: it may be large."""
    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    colours = layer
    if profile:
        colours = to_srgb(image.convert("L" if image.mode in _GREYS else "RGB"), profile)
    paper = Image.new("RGB", layer.size, PAPER)
    paper.paste(colours, mask=layer)
    return paper


def _eight_bit(image: Image.Image, white: float) -> Image.Image:
    return Image.fromarray(np.clip(_levels(image) * (255.0 / white), 0, 255).astype(np.uint8))


def _levels(image: Image.Image) -> npt.NDArray[np.float32]:
    levels: npt.NDArray[np.float32] = np.asarray(image, dtype=np.float32)
    if image.mode == "F" and not np.isfinite(levels).all():
        return np.nan_to_num(levels, posinf=0.0, neginf=0.0)
    return levels
