"""The cost of decoding a photo, estimated from its header, without decoding.

Only photos that are certainly cheap are decoded in this process. All others go to a process that can be killed
(`apart`).
"""

from dataclasses import dataclass
from typing import Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits

CHEAP_JPEG_PIXELS: Final = 16_000_000
"""Up to this size, a JPEG with one scan takes at most a third of a second and 64 MB."""

CHEAP_PIXELS: Final = 4_000_000
"""Up to this size, a PNG or WebP takes at most a third of a second and 80 MB."""

_CHEAP_PASSES: Final = 16_000_000
"""The cheap limit for a progressive JPEG, scans times pixels. One of 1,000 x 1,500 pixels usually has 10 scans."""

_SCANS_OF_A_PIXEL: Final = 4
"""How many progressive scans take as long as decoding a baseline JPEG."""

_MOST_PASSES: Final = 1_000_000_000
"""Scans times pixels that cannot be decoded within the default time. A real photo of 50 megapixels has half of it."""

_MOST_PARTS: Final = 2_000
"""The largest number of segments or chunks to inspect. Decoding one takes longer than inspecting it."""

_MOST_GIF_PARTS: Final = 200_000
"""The number of blocks in a typical 50 MB GIF. In a GIF with more, the frames are not all counted."""

_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
_PROGRESSIVE: Final = 0xC2
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN: Final = 0xDA
_SCAN_MARKER: Final = b"\xff\xda"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SHORTEST_HEADER: Final = 30
"""No photo is shorter. In every format but JPEG, the size is within this many bytes."""

_VP8_SIGNATURE: Final = b"\x9d\x01\x2a"
_WEBP_BYTES_PER_PIXEL: Final = 12
"""Two canvases and a copy of the picture. The image itself is made after the canvases are freed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The decoding cost from a file's header: (width, height), scans, frames, and bytes of memory.

    `is_cheap` is true only if the header proves that decoding takes a fraction of a second and little memory.
    """

    size: tuple[int, int]
    scans: int = 1
    frames: int = 1
    memory_bytes: int = 0
    is_cheap: bool = False


def is_cheap_to_decode(data: bytes, limits: DecodeLimits) -> bool:
    """Return whether the header proves that a photo is cheap enough to decode in this process.

    Raises `PhotoError` if the header shows that the photo exceeds the limits. Unknown formats are never cheap.
    """
    limits.check_bytes(len(data))
    return _is_cheap(_read_cost(data), limits)


def estimate_cost(data: bytes, limits: DecodeLimits) -> tuple[int | None, bool]:
    """Estimate from the header what decoding costs, in pixels (None: unknown), and return whether it is cheap.

    Extra scans of a JPEG add to its pixels. This is very fast: GIFs are never cheap, so their frames are not counted.
    Raises the same errors as `is_cheap_to_decode`.
    """
    limits.check_bytes(len(data))
    cost = _read_quickly(data)
    is_cheap = _is_cheap(cost, limits)
    if cost is None:
        return None, is_cheap
    return cost.size[0] * cost.size[1] * max(1, cost.scans // _SCANS_OF_A_PIXEL), is_cheap


def _is_cheap(cost: Cost | None, limits: DecodeLimits) -> bool:
    if cost is None or not all(cost.size):
        return False
    limits.check_size(cost.size)
    if cost.frames > limits.max_frames:
        raise PhotoError(
            Reason.TOO_EXPENSIVE, f"the file holds {cost.frames:,} pictures, over {limits.max_frames:,}"
        )
    if cost.scans * cost.size[0] * cost.size[1] > _MOST_PASSES:
        raise PhotoError(Reason.TOO_EXPENSIVE, f"the photo is stored in {cost.scans:,} scans")
    if cost.memory_bytes > limits.max_memory_bytes:
        raise PhotoError(
            Reason.TOO_EXPENSIVE,
            f"decoding takes {cost.memory_bytes:,} bytes of memory, over {limits.max_memory_bytes:,}",
        )
    is_small = limits.in_process_pixels is None or cost.size[0] * cost.size[1] <= limits.in_process_pixels
    return cost.is_cheap and is_small


def count_pixels(data: bytes) -> int | None:
    """Return the number of pixels that a JPEG, PNG, WebP or GIF declares; None for other files."""
    cost = _read_quickly(data)
    return None if cost is None else cost.size[0] * cost.size[1]


def has_coefficients(data: bytes) -> bool:
    """Return whether decoding a JPEG keeps all its coefficients in memory: two bytes per sample."""
    cost = _read_cost(data)
    return cost is not None and cost.memory_bytes > 0


def _read_quickly(data: bytes) -> Cost | None:
    is_gif = data.startswith(b"GIF8") and len(data) >= _SHORTEST_HEADER
    return Cost(_gif_size(data)) if is_gif else _read_cost(data)


def _read_cost(data: bytes) -> Cost | None:
    """Read the cost of a file from its header; None for an unknown format or a truncated header."""
    if len(data) < _SHORTEST_HEADER:
        return None
    try:
        if data.startswith(b"\xff\xd8"):
            return _read_jpeg(data)
        if data.startswith(_PNG):
            return _read_png(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _read_webp(data)
        if data.startswith(b"GIF8"):
            return _read_gif(data)
    except IndexError:
        pass
    return None


def _read_jpeg(data: bytes) -> Cost | None:
    """Read the segments before a JPEG's first scan, and count the scans of a progressive one."""
    position, kind, frame = 2, 0, b""
    for _ in range(_MOST_PARTS):
        if data[position] != 0xFF:  # noqa: PLR2004 - every marker begins with it
            return None  # the decoder would scan byte by byte for the next marker
        marker, end = data[position + 1], position + 2 + (data[position + 2] << 8 | data[position + 3])
        if marker == _SCAN:
            return _cost_of_scans(data, position, kind, frame)
        if marker in _FRAMES:
            if frame:
                return None
            kind, frame = marker, data[position + 4 : end]
        position = end
    return None


def _cost_of_scans(data: bytes, position: int, kind: int, frame: bytes) -> Cost | None:
    height, width, components = frame[1] << 8 | frame[2], frame[3] << 8 | frame[4], frame[5]
    if (
        kind in _SEQUENTIAL and data[position + 4] == components
    ):  # one scan holds everything; any others are fake
        return Cost((width, height), is_cheap=width * height <= CHEAP_JPEG_PIXELS)
    # Compressed pixels never contain these two bytes. Counting a thumbnail in the metadata as well is harmless.
    scans = data.count(_SCAN_MARKER, position)
    is_cheap = kind == _PROGRESSIVE and scans * width * height <= _CHEAP_PASSES
    return Cost((width, height), scans, memory_bytes=2 * components * width * height, is_cheap=is_cheap)


def _read_png(data: bytes) -> Cost:
    size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    position, frames, parts = len(_PNG), 1, 0
    while position + 8 <= len(data) and parts < _MOST_PARTS:
        kind = data[position + 4 : position + 8]
        if kind == b"acTL":
            frames = max(1, int.from_bytes(data[position + 8 : position + 12], "big"))
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        parts += 1
    is_cheap = frames == 1 and parts < _MOST_PARTS and size[0] * size[1] <= CHEAP_PIXELS
    return Cost(size, frames=frames, is_cheap=is_cheap)


def _read_webp(data: bytes) -> Cost | None:
    kind = data[12:16]
    if kind == b"VP8X":
        size = 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        frames = max(1, data.count(b"ANMF")) if data[20] & 0x02 else 1
    elif kind == b"VP8 " and data[23:26] == _VP8_SIGNATURE:
        frames = 1
        size = (data[26] | data[27] << 8) & 0x3FFF, (data[28] | data[29] << 8) & 0x3FFF
    elif kind == b"VP8L":
        frames, bits = 1, int.from_bytes(data[21:25], "little")
        size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        return None
    pixels = size[0] * size[1]
    is_cheap = frames == 1 and pixels <= CHEAP_PIXELS
    return Cost(size, frames=frames, memory_bytes=_WEBP_BYTES_PER_PIXEL * pixels, is_cheap=is_cheap)


def _read_gif(data: bytes) -> Cost | None:
    """Count the frames of a GIF. It is never cheap: the decoder reads what is between them byte by byte."""
    position = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    frames, parts = 0, 0
    while position < len(data) and data[position] != ord(";") and parts < _MOST_GIF_PARTS:
        if data[position] == ord(","):
            frames += 1
            flags = data[position + 9]
            position += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif data[position] == ord("!"):
            position += 2
        else:
            break
        while position < len(data) and data[position] and parts < _MOST_GIF_PARTS:
            position += 1 + data[position]
            parts += 1
        position += 1
        parts += 1
    return Cost(_gif_size(data), frames=max(1, frames))


def _gif_size(data: bytes) -> tuple[int, int]:
    return data[6] | data[7] << 8, data[8] | data[9] << 8
