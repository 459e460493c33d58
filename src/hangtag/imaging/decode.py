"""Safe decoding: any bytes become an upright RGB image or a `PhotoError` with a reason."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason

READABLE_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO")
"""The Pillow decoders that may see untrusted bytes; every other one stays shut."""

PHOTO_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""The file name endings that a folder is searched for."""

PAPER: Final = (255, 255, 255)
"""What shows through transparent pixels: catalogues are shot on white."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What a photo may cost. A crafted file can be small on disk and enormous in memory."""

    max_bytes: int = 50_000_000
    max_pixels: int = 100_000_000
    min_side: int = 8


DEFAULT_LIMITS: Final = DecodeLimits()


def read_photo_bytes(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
    """Read a photo's file.

    Raises `PhotoError` with NOT_FOUND, UNREADABLE or TOO_MANY_BYTES.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)
    except FileNotFoundError:
        raise PhotoError(Reason.NOT_FOUND) from None
    except OSError as error:
        raise PhotoError(Reason.UNREADABLE, f"the file cannot be read ({error.strerror})") from None
    if len(data) > limits.max_bytes:
        raise PhotoError(Reason.TOO_MANY_BYTES, f"the file is larger than {limits.max_bytes:,} bytes")
    return data


def decode_photo(
    data: bytes, *, at_least: tuple[int, int] | None = None, limits: DecodeLimits = DEFAULT_LIMITS
) -> Image.Image:
    """Decode a photo to an upright RGB image.

    EXIF rotation is applied, CMYK and grey become RGB, transparency is laid on white. `at_least` is a (width,
    height) below which the image need not be reduced: large JPEG photos are then decoded at a half, a quarter or an
    eighth of their size, which is several times faster.

    Raises `PhotoError` with the reason why the bytes cannot be shown.
    """
    if not data:
        raise PhotoError(Reason.EMPTY)
    if len(data) > limits.max_bytes:
        raise PhotoError(Reason.TOO_MANY_BYTES, f"the file is larger than {limits.max_bytes:,} bytes")
    try:
        with Image.open(io.BytesIO(data), formats=READABLE_FORMATS) as image:
            _check_size(image.size, limits)
            if at_least is not None and image.format == "JPEG":
                image.draft(None, _drafted_size(image.size, at_least))
            return _upright_rgb(image)
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError(_why_not_identified(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoError(Reason.TOO_MANY_PIXELS) from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything on hostile bytes, and a photo may not stop a run
        raise PhotoError(_why_not_decoded(error), f"{_why_not_decoded(error).explanation} ({error})") from None


def _check_size(size: tuple[int, int], limits: DecodeLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise PhotoError(Reason.TOO_MANY_PIXELS, f"the photo is {width}x{height}, over {limits.max_pixels:,} pixels")
    if min(width, height) < limits.min_side:
        raise PhotoError(Reason.TOO_SMALL, f"the photo is {width}x{height}, under {limits.min_side} pixels a side")


def _drafted_size(size: tuple[int, int], at_least: tuple[int, int]) -> tuple[int, int]:
    """Return the size to ask of the JPEG decoder; rotation is not yet known, so both sides keep the longer need."""
    need = max(at_least)
    scale = max(need / size[0], need / size[1])
    return (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    _rotate_upright(image)
    if image.mode == "RGB":
        return image.copy()
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bit(image).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (*PAPER, 255))
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def _rotate_upright(image: Image.Image) -> None:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # noqa: BLE001, S110 - a broken EXIF block says nothing about the pixels
        pass


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and float grey to 8 bits; 8-bit values in a wider mode stay as they are."""
    values = np.asarray(image, dtype=np.float64)
    scale = 257.0 if values.max() > 255 else 1.0  # noqa: PLR2004 - the largest 8-bit value
    return Image.fromarray(np.clip(values / scale, 0, 255).astype(np.uint8))


_MAGIC_OF_PHOTOS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"II*\0", b"MM\0*")
_MAGIC_OF_OTHERS = (b"%PDF", b"8BPS", b"\0\0\0\x0cjP", b"\x76\x2f\x31\x01")


def _why_not_identified(data: bytes) -> Reason:
    if data.startswith(_MAGIC_OF_PHOTOS):
        return Reason.TRUNCATED
    if data.startswith(_MAGIC_OF_OTHERS) or data[4:8] == b"ftyp":  # ftyp: HEIC and AVIF
        return Reason.UNSUPPORTED_FORMAT
    return Reason.NOT_A_PHOTO


def _why_not_decoded(error: Exception) -> Reason:
    return Reason.TRUNCATED if "truncated" in str(error).lower() else Reason.CORRUPT


# Over Pillow's own limit it warns on standard error; here that photo becomes a `PhotoError` or is within our limit.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
