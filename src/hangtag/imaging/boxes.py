"""Box-based files (ISO 23008-12): AVIF, which Pillow decodes, and HEIC, which needs another library.

That library is pi-heif, the extra `heic`, or pillow-heif, which also encodes. Both bundle libheif and libde265 (LGPL).
"""

from functools import cache
from importlib import import_module
from typing import Final

_AVIF_BRANDS: Final = (b"avif", b"avis")
_HEIC_BRANDS: Final = (
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"hevm",
    b"hevs",
    b"mif1",
    b"msf1",
)
_MOST_OF_BRANDS: Final = 64
_LIBRARIES: Final = ("pi_heif", "pillow_heif")


def is_avif(data: bytes) -> bool:
    """Return whether a box-based file is AVIF, and not HEIC or a video."""
    return any(brand in _AVIF_BRANDS for brand in _read_brands(data))


def is_heic(data: bytes) -> bool:
    """Return whether a box-based file is HEIC, and not AVIF or a video."""
    return not is_avif(data) and any(brand in _HEIC_BRANDS for brand in _read_brands(data))


def length_of_boxes(data: bytes) -> int:
    """Return the file length in bytes that the boxes declare. The decoders do not report a truncated file."""
    end = 0
    while end < len(data):
        end += max(8, _box_size(data, end))
    return end


@cache
def load_heic() -> bool:
    """Register a HEIC decoder with Pillow. Return whether a library for it is installed.

    It decodes on one thread, and only the pictures in a file that are photos.
    """
    for name in _LIBRARIES:
        try:
            library = import_module(name)
        except ImportError:
            continue
        library.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
        return True
    return False


def _read_brands(data: bytes) -> list[bytes]:
    """Return the brands from a file's first box, which say what can read it."""
    if data[4:8] != b"ftyp":
        return []
    end = min(_box_size(data, 0), _MOST_OF_BRANDS, len(data))
    return [data[start : start + 4] for start in (8, *range(16, end, 4))]


def _box_size(data: bytes, start: int) -> int:
    size = int.from_bytes(data[start : start + 4], "big")
    if size == 1:  # a larger number follows the type
        return int.from_bytes(data[start + 8 : start + 16], "big")
    return size if size or start + 4 > len(data) else len(data) - start  # 0: the box ends with the file
