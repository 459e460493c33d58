"""Properties of a photo: its format and colours, and whether it is blank."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import numpy as np
from PIL import Image

from hangtag.imaging.apart import DecodedPhoto, DecodeRequest, StoredPhoto, decode_apart
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.cost import is_cheap_to_decode
from hangtag.imaging.decode import JPEG_FORMATS, convert_upright, open_photo
from hangtag.imaging.visibility import VISIBLE_CONTRAST

BLANK_CONTRAST: Final = 1.0
"""A photo whose `contrast` is below this shows nothing."""

NEARLY_BLANK_CONTRAST: Final = VISIBLE_CONTRAST
"""Below this a photo shows almost nothing: a pair of very pale ear studs on white, for example."""

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
"""The formats to expect for each file name ending."""

GREY_MODES: Final = frozenset({"1", "L", "LA", "La", "F"})


@dataclass(frozen=True, slots=True)
class PhotoQuality:
    """What is known about a photo's file and pixels.

    `format` and `mode` are Pillow's names for what is stored (`JPEG`, `CMYK`). `width` and `height` are the pixels
    of the upright photo, and `frames` is the number of pictures in the file. `contrast` is the standard deviation of
    the brightness, 0 to 127.5 levels.
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
        """Whether the file stores no colours. A colour photo of a grey thing does not count."""
        return self.mode in GREY_MODES or self.mode.startswith("I")

    @property
    def is_blank(self) -> bool:
        """Whether the photo shows nothing."""
        return self.contrast < BLANK_CONTRAST

    @property
    def is_nearly_blank(self) -> bool:
        """Whether the photo shows almost nothing."""
        return BLANK_CONTRAST <= self.contrast < NEARLY_BLANK_CONTRAST

    def fits_name(self, name: str) -> bool:
        """Return whether the format is one to expect for the file name's ending. An unknown ending fits any format."""
        formats = FORMATS_BY_SUFFIX.get(PurePath(name).suffix.lower())
        return formats is None or self.format in formats


def inspect_photo(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> tuple[PhotoQuality, Image.Image]:
    """Decode a photo in full. Return its properties and the upright RGB image.

    Raises `PhotoError` with the reason if the photo cannot be decoded.
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
    if not is_cheap_to_decode(data, limits):
        return decode_apart(data, DecodeRequest(limits, is_inspected=True))
    with open_photo(data, limits) as photo:  # one picture: files with several are not cheap
        stored = StoredPhoto(str(photo.format), photo.mode, photo.has_transparency_data)
        upright = convert_upright(photo)
        return DecodedPhoto(upright, stored, upright.size)
