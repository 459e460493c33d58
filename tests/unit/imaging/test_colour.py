"""The same picture is the same, whichever way its file says what its numbers mean: as Chromium shows it."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from colour_charts import build_charts, gamma, primaries, read_kept, show_in_hangtag, with_chunks
from hangtag.imaging.colour import to_srgb
from hangtag.imaging.decode import decode_photo
from hostile_files import png_chunk
from icc_profiles import ADOBE, GREY, PROPHOTO


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


CHARTS = build_charts()
KEPT = read_kept()
HDR = {"png cICP PQ", "png cICP HLG"}
"""Chromium maps the light of these to what a screen can show, by rules of its own. Here they count as sRGB."""


@pytest.mark.parametrize("name", sorted(KEPT.keys() - HDR))
def test_colours_are_those_that_chromium_shows(name):
    assert np.abs(show_in_hangtag(CHARTS[name]) - KEPT[name].astype(int)).max() <= 3


def test_the_charts_would_tell_if_a_profile_were_ignored():
    plain = KEPT["png"].astype(int)
    told = [name for name in KEPT if np.abs(KEPT[name] - plain).max() > 3]
    assert len(told) > 35


@pytest.mark.parametrize(
    "values",
    [
        (0.3127, 0.329, 0.64, 0.33, 0.64, 0.33, 0.64, 0.33),
        (0.0,) * 8,
        (0.3127, 0.0, 0.64, 0.33, 0.3, 0.6, 0.1, 0),
    ],
    ids=["one line", "nothing", "no height"],
)
def test_primaries_that_cannot_be_cost_nothing(values):
    data = with_chunks(gamma(1.0), primaries(values))
    np.testing.assert_array_equal(show_in_hangtag(data), show_in_hangtag(with_chunks()))


@pytest.mark.parametrize("chunk", [b"gAMA", b"cHRM", b"cICP"])
def test_a_chunk_of_another_length_costs_nothing(chunk):
    data = with_chunks(png_chunk(chunk, b"\0"))
    np.testing.assert_array_equal(show_in_hangtag(data), show_in_hangtag(with_chunks()))


def test_chunks_behind_the_pixels_do_not_count():
    data = with_chunks()
    late = data.replace(png_chunk(b"IEND", b""), gamma(1.0) + png_chunk(b"IEND", b""))
    assert len(late) > len(data)
    np.testing.assert_array_equal(show_in_hangtag(late), show_in_hangtag(data))
