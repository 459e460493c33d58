"""Safe decoding: any bytes become an upright RGB image, or a `PhotoError` with a reason."""

import errno
import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.apart import DecodeRequest, decode_apart
from hangtag.imaging.boxes import is_avif, is_heic, length_of_boxes, load_heic
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits, too_large
from hangtag.imaging.colour import declare_colours, find_white, to_rgb
from hangtag.imaging.cost import is_cheap_to_decode
from hangtag.imaging.oddities import add_end_marker, drop_odd_metadata, lacks_end_marker
from hangtag.imaging.plain_jpeg import decode_plain_jpeg, plain_size

READABLE_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""The Pillow decoders allowed to read untrusted bytes. HEIC is added if its library is installed."""

_NO_HEIC: Final = "to read HEIC photos, install hangtag[heic]: pip install 'hangtag[heic]'"

JPEG_FORMATS: Final = frozenset({"JPEG", "MPO"})
"""The formats that the JPEG decoder reports. Some phones append a second picture, which makes the file an MPO."""

PHOTO_SUFFIXES: Final = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
    }
)
"""The file name endings that identify photos in a folder."""


SIDEWAYS: Final = 5
"""From this EXIF orientation on, width and height are swapped."""

_ORIENTATION: Final = 0x0112
_MOST_SHOWN_PIXELS: Final = 16_000_000
_OVERSIZE: Final = 3
"""A photo is reduced if it has more than this many times the pixels of `at_least`."""

_READ_AT_A_TIME: Final = 1 << 18


def read_photo_bytes(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
    """Read a photo's file.

    Raises `PhotoError` with NOT_FOUND, UNREADABLE or TOO_MANY_BYTES.
    """
    try:
        data = _read_file(path, limits.max_bytes + 1)
    except FileNotFoundError:
        raise PhotoError(Reason.NOT_FOUND) from None
    except ValueError:  # a NUL, or a character that the file system cannot encode
        raise PhotoError(Reason.NOT_FOUND, "no file can have such a name") from None
    except OSError as error:
        raise PhotoError(Reason.UNREADABLE, f"the file cannot be read ({error.strerror})") from None
    if len(data) > limits.max_bytes:
        raise too_large(limits)
    return data


def _read_file(path: Path, most: int) -> bytes:
    """Return a file's bytes, cut after `most`. Pipes are refused, since reading one could block.

    Python's file objects make twice as many system calls: for a small photo, a seventh of its total cost.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PhotoError(Reason.UNREADABLE, "this is not a file but a folder, a pipe or a device")
        pieces = []
        while most > 0 and (piece := os.read(descriptor, min(most, _READ_AT_A_TIME))):
            pieces.append(piece)
            most -= len(piece)
    finally:
        os.close(descriptor)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def decode_photo(
    data: bytes, *, at_least: tuple[int, int] | None = None, limits: DecodeLimits = DEFAULT_LIMITS
) -> Image.Image:
    """Decode a photo to an upright RGB image.

    EXIF rotation is applied, colours are converted to sRGB, and transparency becomes white. `at_least` is a (width,
    height) into which the image will be fitted. Large photos are then decoded at a half, a quarter or less of their
    size, which is up to twice as fast and takes far less memory.

    A photo that is certainly cheap is decoded here, any other in a process that is killed if it exceeds the limits.
    Raises `PhotoError` with the reason if the photo cannot be decoded.
    """
    plain = _decode_plain(data, at_least, limits)
    if plain is not None:
        return plain
    if not is_cheap_to_decode(data, limits):
        most = None if at_least is None else max(_MOST_SHOWN_PIXELS, _OVERSIZE * at_least[0] * at_least[1])
        return decode_apart(data, DecodeRequest(limits, at_least, most_pixels=most)).image
    with open_photo(data, limits) as image:
        if at_least is not None and image.format in JPEG_FORMATS:
            image.draft(None, drafted_size(image.size, at_least))
        return convert_upright(image)


def _decode_plain(data: bytes, at_least: tuple[int, int] | None, limits: DecodeLimits) -> Image.Image | None:
    """Decode a photo that is certainly cheap and needs no further processing; None for any other."""
    size = plain_size(data)
    if size is None or len(data) > limits.max_bytes or size[0] * size[1] > limits.max_pixels:
        return None
    if min(size) < limits.min_side or (at_least is not None and _can_shrink(size, at_least)):
        return None
    return decode_plain_jpeg(data)


@contextmanager
def open_photo(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Iterator[Image.Image]:
    """Open a photo as stored: its header is read and its size checked, but its pixels are not decoded yet.

    Decoding inside this block has no time limit; `decode_photo` and `inspect_photo` add one. Raises `PhotoError` with
    the reason if the photo cannot be decoded, also for errors inside the block.
    """
    limits.check_bytes(len(data))
    try:
        with _open_stored(drop_odd_metadata(data), limits) as image:
            yield image
    except PhotoError:
        raise
    except UnidentifiedImageError:
        reason = _why_not_identified(data)
        is_lacking = reason is Reason.UNSUPPORTED_FORMAT and is_heic(data)
        raise PhotoError(reason, _NO_HEIC if is_lacking else "") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoError(Reason.TOO_MANY_PIXELS) from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything on hostile bytes, and a photo may not stop a run
        if _is_lack_of_memory(error):  # more memory might be enough
            raise PhotoError(Reason.TOO_EXPENSIVE, "decoding the photo takes too much memory") from None
        reason = _why_not_decoded(error, data)
        raise PhotoError(reason, f"{reason.explanation} ({error})") from None


def _open_stored(data: bytes, limits: DecodeLimits) -> Image.Image:
    formats = ("HEIF",) if is_heic(data) and load_heic() else READABLE_FORMATS
    image = Image.open(io.BytesIO(data), formats=formats)
    limits.check_size(image.size)
    declare_colours(image, data)
    if image.format in JPEG_FORMATS and lacks_end_marker(data):
        return Image.open(io.BytesIO(add_end_marker(data)), formats=READABLE_FORMATS)
    return image


def convert_upright(image: Image.Image) -> Image.Image:
    """Decode the pixels of a photo inside an `open_photo` block. Return the upright RGB image."""
    image.load()
    _turn_upright(image)
    upright = to_rgb(image, find_white(image))
    return upright.copy() if upright is image else upright


def _turn_upright(image: Image.Image) -> None:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001, S110 - a broken EXIF block says nothing about the pixels
        pass


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8; 1 if it has none or it is unreadable."""
    try:
        turn = Image.Image.getexif(image).get(_ORIENTATION, 1)  # a PNG's own method would decode the pixels
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing about the pixels
        return 1
    return turn if turn in range(2, 9) else 1


def drafted_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the size to request from the JPEG decoder. The rotation is not known yet, so both are allowed for."""
    width, height = size
    scale = max(min(across / width, down / height) for across, down in (box, box[::-1]))
    return (max(1, round(width * scale)), max(1, round(height * scale)))


def _can_shrink(size: tuple[int, int], box: tuple[int, int]) -> bool:
    """Return whether the JPEG decoder would return at most half the size."""
    width, height = drafted_size(size, box)
    return min(size[0] // width, size[1] // height) > 1


_MAGIC_OF_PHOTOS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAGIC_OF_OTHERS = (
    b"%PDF",
    b"8BPS",
    b"\0\0\0\x0cjP",  # JPEG 2000
    b"\0\0\0\x0cJXL",
    b"\x76\x2f\x31\x01",  # OpenEXR
)


def _why_not_identified(data: bytes) -> Reason:
    if (
        data.startswith(_MAGIC_OF_PHOTOS)
        or _is_webp(data)
        or is_avif(data)
        or (is_heic(data) and load_heic())
    ):
        return Reason.TRUNCATED
    if (
        data.startswith(_MAGIC_OF_OTHERS) or data[4:8] == b"ftyp"
    ):  # videos, and HEIC if its library is missing
        return Reason.UNSUPPORTED_FORMAT
    return Reason.NOT_A_PHOTO


def _is_lack_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _why_not_decoded(error: Exception, data: bytes) -> Reason:
    is_cut = (
        "truncated" in str(error).lower()
        or (_is_webp(data) and len(data) < _webp_length(data))
        or ((is_avif(data) or is_heic(data)) and len(data) < length_of_boxes(data))
    )
    return Reason.TRUNCATED if is_cut else Reason.CORRUPT


def _is_webp(data: bytes) -> bool:
    """Return whether a RIFF file is a WebP, and not sound, for example."""
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"[: max(0, len(data) - 8)]


def _webp_length(data: bytes) -> int:
    """Return the file length in bytes that a WebP declares. Its decoder does not report a truncated file."""
    return int.from_bytes(data[4:8], "little") + 8


# Pillow prints warnings for photos over its own size limit, which are refused or allowed by our limit instead,
# and for broken EXIF blocks, which do not matter.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
