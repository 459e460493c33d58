"""ICC profiles built from public figures; none is copied from anybody."""

import struct
from itertools import product

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
_GRID = 11


def fixed(values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def build_profile(columns, gamma, space=b"RGB "):
    """Return an ICC profile: the XYZ of its primaries under D50, or none for grey, and one gamma."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        bytes([letter]) + b"XYZ": b"XYZ \0\0\0\0" + fixed(column)
        for letter, column in zip(b"rgb", columns, strict=False)
    }
    tags |= dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"] if columns else [b"kTRC"], curve)
    return _join(tags, b"mntr", space, b"XYZ ")


def build_cmyk_profile():
    """Return the profile of a press with dull inks: a table of 5 steps for each of four inks."""
    rgb = np.array([[0.05, 0.55, 0.85], [0.80, 0.10, 0.45], [0.95, 0.88, 0.10], [0.12, 0.12, 0.12]])
    nodes = []
    for amounts in product(np.linspace(0, 1, _GRID), repeat=4):
        light = np.prod([1 - amount * (1 - ink) for amount, ink in zip(amounts, rgb, strict=True)], axis=0)
        nodes.append(_lab_of_linear(light**2.0))
    identity = bytes(range(256))
    table = b"".join(bytes(np.clip(np.round(lab), 0, 255).astype(np.uint8)) for lab in nodes)
    head = b"mft1\0\0\0\0" + bytes([4, 3, _GRID, 0]) + fixed([1, 0, 0, 0, 1, 0, 0, 0, 1])
    lut = head + identity * 4 + table + identity * 3
    return _join({b"A2B0": lut}, b"prtr", b"CMYK", b"Lab ")


def _lab_of_linear(light):
    """Return L, a and b of linear sRGB as bytes: L from 0 to 255, the others 128 around grey."""
    to_xyz = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
    scaled = to_xyz @ light / D50
    roots = np.where(scaled > 216 / 24389, np.cbrt(scaled), (24389 / 27 * scaled + 16) / 116)
    lightness = 116 * roots[1] - 16
    return np.array([lightness * 2.55, 500 * (roots[0] - roots[1]) + 128, 200 * (roots[1] - roots[2]) + 128])


def _join(tags, class_, space, connection):
    name = b"test\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + b"\0" * 78
    description += b"\0" * (-len(description) % 4)
    common = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": b"XYZ \0\0\0\0" + fixed(D50),
    }
    tags = common | {name: value + b"\0" * (-len(value) % 4) for name, value in tags.items()}
    start, index, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        index += tag + struct.pack(">II", start + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x02100000, class_, space, connection)
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + fixed(D50)
    return head.ljust(128, b"\0") + index + body


# Adobe RGB (1998), Display P3 and ProPhoto, adapted to D50.
ADOBE = build_profile(
    [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)], 2.2
)
P3 = build_profile(
    [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)], 2.2
)
PROPHOTO = build_profile([(0.79767, 0.28804, 0), (0.13519, 0.71188, 0), (0.03134, 0.00009, 0.82491)], 1.8)
GREY = build_profile([], 1.0, b"GRAY")
