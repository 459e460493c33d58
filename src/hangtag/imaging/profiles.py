"""Colour declarations other than ICC profiles, converted to ICC profiles so that all are handled the same way.

PNG has the chunks cICP, sRGB, gAMA and cHRM; AVIF and HEIC have a colour box. Their precedence follows Chromium, as
that is how shops see their photos.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

_Matrix = npt.NDArray[np.float64]

D50: Final = (0.9642, 1.0, 0.8249)
"""The white point of ICC profiles, as XYZ."""

_BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""The Bradford matrix, from XYZ to cone responses, for chromatic adaptation (ICC.1:2022, annex E)."""

_D65: Final = (0.3127, 0.3290)
_ILLUMINANT_C: Final = (0.310, 0.316)
_BT709: Final = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)

_PRIMARIES: Final = {
    1: _BT709,
    4: (*_ILLUMINANT_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    8: (*_ILLUMINANT_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    22: (*_D65, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}
"""The x and y of white, red, green and blue, by code point of ITU-T H.273, table 2."""

_SRGB_CURVE: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_TELEVISION: Final = frozenset({1, 6, 14, 15})
_GAMMAS: Final = {4: 2.2, 5: 2.8, 8: 1.0} | dict.fromkeys(_TELEVISION, 2.4)
"""The gamma by code point of H.273, table 3. Television curves count as their display gamma (ITU-R BT.1886)."""

_SRGB_TRANSFER: Final = 13
_BOX_OF_CODE_POINTS: Final = b"colrnclx"
_MOST_OF_BOXES: Final = 1 << 16
"""How many bytes to search for the boxes that describe a picture."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_WHOLE: Final = 100_000
"""PNG stores these numbers multiplied by this."""

_GAMMA_OF_SRGB: Final = 45_455
"""1/2.2, which encoders write for sRGB."""


@dataclass(frozen=True, slots=True)
class Colours:
    """The primaries (x and y of white, red, green, blue), and the gamma exponent.

    Without an exponent, the curve is sRGB's.
    """

    primaries: tuple[float, ...] = _BT709
    gamma: float | None = None


def read_png_colours(data: bytes) -> tuple[Colours | None, bool]:
    """Return the colours that a PNG declares (None: sRGB), and whether they take precedence over an ICC profile."""
    chunks = _find_chunks(data)
    if b"cICP" in chunks and len(chunks[b"cICP"]) == 4:  # noqa: PLR2004 - four code points
        primaries, transfer, matrix, is_full = chunks[b"cICP"]
        colours = read_code_points(primaries, transfer)
        if colours is not None and not matrix and is_full:
            return colours, True
    if b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:  # noqa: PLR2004 - one number
        return None, False
    gamma = int.from_bytes(chunks[b"gAMA"], "big")
    if not gamma:
        return None, False
    if len(chunks.get(b"cHRM", b"")) != 32:  # noqa: PLR2004 - eight numbers
        return (None if gamma == _GAMMA_OF_SRGB else Colours(gamma=_WHOLE / gamma)), False
    primaries_ = tuple(value / _WHOLE for value in struct.unpack(">8I", chunks[b"cHRM"]))
    return Colours(primaries_, _WHOLE / gamma), False


def read_box_colours(data: bytes) -> Colours | None:
    """Return the colours that the code points of an AVIF or HEIC declare; None for sRGB.

    Chromium treats television curves as sRGB's here.
    """
    place = data.find(_BOX_OF_CODE_POINTS, 0, _MOST_OF_BOXES)
    if place < 0:
        return None
    start = place + len(_BOX_OF_CODE_POINTS)
    primaries, transfer = (int.from_bytes(data[start + at : start + at + 2], "big") for at in (0, 2))
    return read_code_points(primaries, _SRGB_TRANSFER if transfer in _TELEVISION else transfer)


def read_code_points(primaries: int, transfer: int) -> Colours | None:
    """Return the colours for two code points of ITU-T H.273; None if one of them is not supported."""
    if primaries not in _PRIMARIES or (transfer not in _GAMMAS and transfer != _SRGB_TRANSFER):
        return None
    return Colours(_PRIMARIES[primaries], _GAMMAS.get(transfer))


@lru_cache(maxsize=16)
def build_profile(colours: Colours, *, is_grey: bool = False) -> bytes | None:
    """Return an RGB or grey ICC profile for these colours; None if the primaries are impossible."""
    curve = _write_curve(colours.gamma)
    if is_grey:
        return _join({b"kTRC": curve}, b"GRAY")
    columns = _adapt_primaries(colours.primaries)
    if columns is None:
        return None
    tags = {
        name + b"XYZ": b"XYZ \0\0\0\0" + _fixed(*column)
        for name, column in zip((b"r", b"g", b"b"), columns.T, strict=True)
    }
    return _join(tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve), b"RGB ")


def _find_chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the chunks before a PNG's pixels that describe its colours."""
    found: dict[bytes, bytes] = {}
    position = len(_PNG)
    while position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        if kind == b"IDAT":
            break
        if kind in (b"cICP", b"sRGB", b"gAMA", b"cHRM"):
            found.setdefault(kind, data[position + 8 : position + 8 + length])
        position += 12 + length
    return found


def _adapt_primaries(primaries: tuple[float, ...]) -> _Matrix | None:
    """Return the XYZ of red, green and blue as columns, adapted from their white point to D50 as in a profile."""
    xy = np.array(primaries).reshape(4, 2)
    try:
        with np.errstate(all="raise"):
            white, *others = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in xy)
            columns = np.array(others).T
            columns = columns * np.linalg.solve(columns, white)
            scale = (_BRADFORD @ D50) / (_BRADFORD @ white)
            adapted: _Matrix = np.linalg.solve(_BRADFORD, scale[:, None] * (_BRADFORD @ columns))
    except (FloatingPointError, np.linalg.LinAlgError):
        return None
    return adapted if np.abs(adapted).max() < 1 << 14 else None


def _write_curve(gamma: float | None) -> bytes:
    if gamma is None:
        return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + _fixed(*_SRGB_CURVE)
    return b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _fixed(min(gamma, 30_000.0))


def _join(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """Return a version 2 profile with these tags and the required ones."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(*D50)} | tags
    start = 128 + 4 + 12 * len(tags)
    index, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        index += name + struct.pack(">II", start + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(*D50)
    return head.ljust(128, b"\0") + index + body


def _fixed(*values: float) -> bytes:
    """Encode numbers as in a profile: multiplied by 65,536, 4 bytes each, which keeps the rest aligned."""
    return b"".join(struct.pack(">i", round(value * 65_536)) for value in values)
