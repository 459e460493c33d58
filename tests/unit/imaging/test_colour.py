"""The same picture is the same, whichever profile it is stored in."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from hangtag.imaging.colour import to_srgb
from hangtag.imaging.decode import decode_photo

D50 = np.array([0.9642, 1.0, 0.8249])


def fixed(values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def build_profile(columns, gamma, space=b"RGB "):
    """Return an ICC profile: the XYZ of its primaries under D50, or of none for grey, and one gamma."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"test\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + b"\0" * 78
    description += b"\0" * (-len(description) % 4)
    tags = {b"desc": description, b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": b"XYZ \0\0\0\0" + fixed(D50)}
    tags |= {
        bytes([letter]) + b"XYZ": b"XYZ \0\0\0\0" + fixed(column)
        for letter, column in zip(b"rgb", columns, strict=False)
    }
    tags |= dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"] if columns else [b"kTRC"], curve)
    start, index, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        index += tag + struct.pack(">II", start + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x02100000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + fixed(D50)
    return head.ljust(128, b"\0") + index + body


# Adobe RGB (1998) and ProPhoto, adapted to D50.
ADOBE = build_profile(
    [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)], 2.2
)
PROPHOTO = build_profile([(0.79767, 0.28804, 0), (0.13519, 0.71188, 0), (0.03134, 0.00009, 0.82491)], 1.8)
GREY = build_profile([], 1.0, b"GRAY")


def photo():
    ramp = np.mgrid[0:32, 0:48].astype(np.uint8)
    return Image.fromarray(np.dstack([ramp[0] * 6 + 60, ramp[1] * 4 + 60, 180 - ramp[0] * 2]))


def stored(image, format_="PNG", **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


@pytest.mark.parametrize("profile", [ADOBE, PROPHOTO], ids=["Adobe RGB", "ProPhoto"])
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_a_wide_profile_is_brought_to_srgb(profile, format_):
    srgb = ImageCms.createProfile("sRGB")
    wide = ImageCms.profileToProfile(photo(), srgb, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    assert np.abs(np.asarray(wide, int) - np.asarray(photo(), int)).max() > 20
    options = {"lossless": True} if format_ == "WEBP" else {}
    found = decode_photo(stored(wide, format_, icc_profile=profile, **options))
    np.testing.assert_allclose(
        np.asarray(found, int), np.asarray(photo(), int), atol=4
    )  # eight bits of a wide space are coarse


def test_what_is_clear_is_white_in_any_profile():
    clear = photo().convert("RGBA")
    clear.putalpha(
        Image.fromarray(np.repeat([[0], [255]], [16, 16], axis=0).astype(np.uint8)).resize(clear.size, 0)
    )
    found = np.asarray(decode_photo(stored(clear, icc_profile=PROPHOTO)))
    assert found[0, 0].min() == 255
    opaque = np.asarray(decode_photo(stored(photo(), icc_profile=PROPHOTO)))
    np.testing.assert_array_equal(found[-1], opaque[-1])


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_has_profiles_too(mode):
    grey = Image.new("L", (20, 20), 128).convert(mode)
    assert decode_photo(stored(grey, icc_profile=GREY)).getpixel((5, 5)) == (188, 188, 188)


def test_a_palette_of_a_wide_profile_is_converted():
    wide = stored(photo().convert("P", palette=Image.Palette.ADAPTIVE), icc_profile=PROPHOTO)
    plain = stored(photo().convert("P", palette=Image.Palette.ADAPTIVE))
    assert np.abs(np.asarray(decode_photo(wide), int) - np.asarray(decode_photo(plain), int)).max() > 20


def test_a_profile_that_is_srgb_leaves_the_pixels_as_they_are():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = photo()
    assert to_srgb(image, srgb) is image
    np.testing.assert_array_equal(
        np.asarray(decode_photo(stored(image, icc_profile=srgb))), np.asarray(image)
    )


@pytest.mark.parametrize(
    "profile", [b"no profile at all", GREY, ADOBE[:200]], ids=["none", "grey", "cut off"]
)
def test_a_profile_that_cannot_be_used_costs_nothing(profile):
    np.testing.assert_array_equal(
        np.asarray(decode_photo(stored(photo(), icc_profile=profile))), np.asarray(photo())
    )
