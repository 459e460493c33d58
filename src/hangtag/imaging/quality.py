"""Properties of a photo: its format and colours, and whether it shows anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import numpy as np
from PIL import Image

from hangtag.imaging.apart import DecodedPhoto, DecodeRequest, StoredPhoto, decode_apart
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.cost import weigh_photo
from hangtag.imaging.decode import JPEG_FORMATS, convert_upright, open_photo

BLANK_CONTRAST: Final = 1.0
"""A photo whose `contrast` is below this shows nothing."""

NEARLY_BLANK_CONTRAST: Final = 3.0
"""Below this a photo hardly shows anything: on white, a pair of ear studs in the palest grey."""

FORMATS_BY_SUFFIX: Final[Mapping[str, frozenset[str]]] = {
    ".jpg": JPEG_FORMATS,
    ".jpeg": JPEG_FORMATS,
    ".jpe": JPEG_FORMATS,
    ".jfif": JPEG_FORMATS,
    ".png": frozenset({"PNG"}),
    ".webp": frozenset({"WEBP"}),
    ".gif": frozenset({"GIF"}),
    ".bmp": frozenset({"BMP"}),
    ".tif": frozenset({"TIFF"}),
    ".tiff": frozenset({"TIFF"}),
    ".avif": frozenset({"AVIF"}),
    ".heic": frozenset({"HEIF"}),
    ".heif": frozenset({"HEIF"}),
}
"""Which formats may stand behind each file name ending."""

GREY_MODES: Final = frozenset({"1", "L", "LA", "La", "F"})


@dataclass(frozen=True, slots=True)
class PhotoQuality:
    """What is known of a photo's file and its pixels.

    `format` and `mode` are Pillow's names of what is stored (`JPEG`, `CMYK`); `width` and `height` are pixels
    of the upright photo; `frames` counts the pictures in the file. `contrast` is the standard deviation of the
    brightness, 0 to 127.5 levels.
    """

    format: str
    mode: str
    width: int
    height: int
    frames: int
    is_transparent: bool
    contrast: float

    @property
    def is_grey(self) -> bool:
        """Whether the file stores no colours; a photo of a grey thing in colour does not count."""
        return self.mode in GREY_MODES or self.mode.startswith("I")

    @property
    def is_blank(self) -> bool:
        """Whether the photo shows nothing."""
        return self.contrast < BLANK_CONTRAST

    @property
    def is_nearly_blank(self) -> bool:
        """Whether the photo shows something that can hardly be seen."""
        return BLANK_CONTRAST <= self.contrast < NEARLY_BLANK_CONTRAST

    def fits_name(self, name: str) -> bool:
        """Return whether the format is one that the file name's ending promises; an unknown one promises none."""
        formats = FORMATS_BY_SUFFIX.get(PurePath(name).suffix.lower())
        return formats is None or self.format in formats


def inspect_photo(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> tuple[PhotoQuality, Image.Image]:
    """Decode a photo in full; return what is known of it, and the upright RGB image.

    Raises `PhotoError` with the reason why the bytes cannot be shown.
    """
    decoded = _decode_inspected(data, limits)
    stored, upright = decoded.stored, decoded.image
    contrast = float(np.asarray(upright.convert("L"), dtype=np.float32).std())
    quality = PhotoQuality(
        stored.format,
        stored.mode,
        upright.width,
        upright.height,
        stored.frames,
        stored.is_transparent,
        contrast,
    )
    return quality, upright


def _decode_inspected(data: bytes, limits: DecodeLimits) -> DecodedPhoto:
    if not weigh_photo(data, limits):
        return decode_apart(data, DecodeRequest(limits, is_inspected=True))
    with open_photo(data, limits) as photo:  # one picture: what holds several is not cheap
        stored = StoredPhoto(str(photo.format), photo.mode, photo.has_transparency_data)
        upright = convert_upright(photo)
        return DecodedPhoto(upright, stored, upright.size)
