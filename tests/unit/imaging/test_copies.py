"""Copies that are kept show the same pixels, and say nothing else."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.copies import copy_photo, render_upright
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.preprocess import Preprocessing, prepare_photo
from hangtag.imaging.thumbnails import render_photo
from hostile_files import animated, encode, jpeg_segment, png, png_chunk
from icc_profiles import ADOBE, PROPHOTO

SECRET = b"taken at home"
PEAK = Path("/proc/self/status")
PREPROCESSING = Preprocessing(112, 112, 60, 80)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photo(size=(240, 320), mode="RGB"):
    return _draw(size).convert(mode)


@cache
def _draw(size):
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    base = np.stack([rows * 255 // size[1], columns * 255 // size[0], (rows + columns) % 256], axis=-1)
    noise = np.random.default_rng(5).integers(0, 20, base.shape)
    return Image.fromarray((base + noise).clip(0, 255).astype(np.uint8))


def told(turn=1):
    """Return the EXIF of a telltale photo."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = turn, SECRET.decode()
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def transparent():
    image = photo(mode="RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def with_texts():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", SECRET.decode())
    return texts


def mpo():
    return encode(photo(), "MPO", save_all=True, append_images=[photo((60, 80))], exif=told())


def packed_jpeg():
    data = encode(photo(), "JPEG", exif=told(), comment=SECRET, icc_profile=SRGB, xmp=SECRET)
    return data + b"PK\3\4" + SECRET


PLAIN = {
    "jpeg": packed_jpeg(),
    "progressive": encode(photo(), "JPEG", progressive=True, exif=told(), comment=SECRET),
    "restarts": encode(photo(), "JPEG", restart_marker_blocks=3, exif=told(), xmp=SECRET),
    "large": encode(photo((1500, 2000)), "JPEG", quality=80, exif=told()),
    "grey": encode(photo(mode="L"), "JPEG", comment=SECRET),
    "adobe": encode(photo(), "JPEG", subsampling=0, keep_rgb=True, comment=SECRET),
    "mpo": mpo(),
    "no end": encode(photo(), "JPEG", comment=SECRET)[:-2],
    "filled": b"\xff\xd8" + b"\xff" * 5_000 + encode(photo(), "JPEG", comment=SECRET)[2:],
    "no jfif": b"\xff\xd8" + jpeg_segment(0xE1, SECRET) + encode(photo(), "JPEG")[20:],
    "png": encode(photo(), exif=told(), pnginfo=with_texts(), icc_profile=SRGB),
    "png tail": encode(photo()) + SECRET,
    "palette": encode(photo().quantize(64), pnginfo=with_texts(), transparency=3),
    "clear": encode(transparent(), pnginfo=with_texts()),
    "16 bits": encode(
        Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 15), pnginfo=with_texts()
    ),
    "apng": encode(photo(), save_all=True, append_images=[photo(mode="L")], pnginfo=with_texts()),
    "webp": encode(photo(), "WEBP", exif=told(), xmp=SECRET, icc_profile=SRGB),
    "lossless": encode(photo(), "WEBP", lossless=True, exif=told()),
    "clear webp": encode(transparent(), "WEBP", exif=told()),
    "simple webp": encode(photo((80, 100)), "WEBP"),
}
LINEAR = png_chunk(b"gAMA", (100_000).to_bytes(4, "big"))
IN_NEED = {
    "turned": encode(photo(), "JPEG", exif=told(6), xmp=SECRET),
    "large and turned": encode(photo((1500, 2000)), "JPEG", quality=90, exif=told(6), icc_profile=PROPHOTO),
    "adobe rgb": encode(photo(), "JPEG", exif=told(), icc_profile=ADOBE),
    "cmyk": encode(photo(mode="CMYK"), "JPEG", exif=told()),
    "turned png": encode(photo(), exif=told(8)),
    "prophoto png": encode(transparent(), pnginfo=with_texts(), icc_profile=PROPHOTO),
    "linear png": encode(photo(), pnginfo=with_texts())[:33]
    + LINEAR
    + encode(photo(), pnginfo=with_texts())[33:],
    "turned webp": encode(photo(), "WEBP", exif=told(3)),
    "adobe webp": encode(transparent(), "WEBP", exif=told(7), icc_profile=ADOBE, xmp=SECRET),
}
"""Photos that need to say how they lie or what their colours mean."""

REMADE = {
    "tiff": encode(photo(), "TIFF", exif=told(5)),
    "gif": encode(photo(), "GIF", comment=SECRET),
    "animation": animated("GIF", 3, (40, 50)),
    "webp animation": animated("WEBP", 3, (40, 50)),
    "bmp": encode(photo(), "BMP"),
    "avif": encode(photo(), "AVIF", exif=told()),
    "heic": (Path(__file__).parents[2] / "contracts" / "dress.heic").read_bytes(),
}


def read_peak():
    """Return the most memory of this process, in KiB, since it was last forgotten."""
    return int(PEAK.read_text().partition("VmHWM:")[2].split()[0])


def reason_of(data, limits=DEFAULT_LIMITS):
    with pytest.raises(PhotoError) as caught:
        copy_photo(data, limits)
    return caught.value.reason


def check_says_nothing(data, *needed):
    assert SECRET not in data
    with Image.open(io.BytesIO(data)) as image:
        assert set(image.getexif()) <= set(needed)
        assert not {"exif", "icc_profile", "xmp", "comment", "Comment"} & image.info.keys() - set(needed)


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_upright_and_in_srgb_keeps_its_compressed_pixels_alone(name):
    data = PLAIN[name]
    copy = copy_photo(data, DEFAULT_LIMITS)
    check_says_nothing(copy.data)
    assert len(copy.data) <= len(data)
    assert copy.size == decode_photo(data).size
    np.testing.assert_array_equal(np.asarray(decode_photo(copy.data)), np.asarray(decode_photo(data)))
    np.testing.assert_array_equal(prepare_photo(copy.data, PREPROCESSING), prepare_photo(data, PREPROCESSING))


@pytest.mark.parametrize("name", REMADE)
def test_everything_else_is_made_anew_pixel_for_pixel(name):
    data = REMADE[name]
    copy = copy_photo(data, DEFAULT_LIMITS)
    check_says_nothing(copy.data)
    assert copy.size == decode_photo(data).size
    np.testing.assert_array_equal(np.asarray(decode_photo(copy.data)), np.asarray(decode_photo(data)))


@pytest.mark.parametrize("name", IN_NEED)
def test_what_lies_or_has_other_colours_keeps_its_compressed_pixels_too(name):
    data = IN_NEED[name]
    copy = copy_photo(data, DEFAULT_LIMITS)
    check_says_nothing(copy.data, 0x0112, "exif", "icc_profile")
    assert copy.size == decode_photo(data).size
    np.testing.assert_array_equal(np.asarray(decode_photo(copy.data)), np.asarray(decode_photo(data)))
    np.testing.assert_array_equal(prepare_photo(copy.data, PREPROCESSING), prepare_photo(data, PREPROCESSING))


@pytest.mark.costly
@pytest.mark.parametrize("name", PLAIN.keys() | IN_NEED.keys() | REMADE.keys())
def test_what_is_handed_out_is_upright_and_in_srgb(name):
    data = (PLAIN | IN_NEED | REMADE)[name]
    shown = render_upright(data, DEFAULT_LIMITS)
    check_says_nothing(shown)
    np.testing.assert_array_equal(np.asarray(decode_photo(shown)), np.asarray(decode_photo(data)))


@pytest.mark.parametrize("mark", [0xFE, 0xE1, 0x02])
def test_a_mark_among_the_compressed_pixels_is_left_to_the_decoder(mark):
    data = encode(photo((64, 64)), "JPEG", restart_marker_blocks=1)
    place = data.index(b"\xff\xd3", data.index(b"\xff\xda"))
    odd = data[:place] + bytes([0xFF, mark]) + b"\0\4ab" + data[place:]
    shown = np.asarray(decode_photo(odd))
    np.testing.assert_array_equal(np.asarray(decode_photo(copy_photo(odd, DEFAULT_LIMITS).data)), shown)


def test_a_huge_photo_that_is_made_anew_comes_smaller_and_says_how_large_it_was():
    data = encode(Image.new("L", (5000, 4000), 90), "TIFF", compression="tiff_lzw")
    copy = copy_photo(data, DEFAULT_LIMITS)
    assert copy.size == (5000, 4000)
    assert decode_photo(copy.data).size == (2500, 2000)


def test_a_copy_is_never_larger_than_a_photo_may_be():
    data = encode(photo((400, 500)), "TIFF", compression="tiff_lzw")
    limits = DecodeLimits(max_bytes=len(data) + 1)
    assert len(copy_photo(data, DecodeLimits(max_bytes=len(data))).data) <= limits.max_bytes


@pytest.mark.skipif(not PEAK.exists(), reason="this system does not say what a process took at most")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png((7000, 7000)), id="png"),
        pytest.param(encode(Image.new("RGB", (7000, 5000)), "TIFF", compression="tiff_lzw"), id="tiff"),
        pytest.param(encode(Image.new("RGB", (5000, 4500)), "JPEG", progressive=True)[:-2], id="no end"),
    ],
)
@pytest.mark.parametrize("copy", [copy_photo, render_upright])
def test_a_large_photo_is_copied_without_its_pixels_coming_here(data, copy):
    decode_photo(encode(photo(), "BMP"))  # what has to be loaded is
    PEAK.with_name("clear_refs").write_text("5")
    before = read_peak()
    copy(data, DEFAULT_LIMITS)
    assert read_peak() - before < 12_000  # KiB


@pytest.mark.skipif(not PEAK.exists(), reason="this system does not say what a process took at most")
def test_a_large_photo_is_shown_without_all_its_pixels_coming_here():
    data = png((7000, 7000))
    PEAK.with_name("clear_refs").write_text("5")
    before = read_peak()
    shown, _ = render_photo(data, None, DEFAULT_LIMITS)
    assert read_peak() - before < 120_000  # KiB
    assert decode_photo(shown).size == (2048, 2048)


def test_what_a_png_says_behind_its_pixels_counts():
    data = encode(photo(), exif=told(6))
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    behind = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert copy_photo(behind, DEFAULT_LIMITS).size == (320, 240)


def test_a_copy_of_a_photo_that_is_cut_off_has_its_reason():
    data = encode(photo(), "JPEG", comment=SECRET)
    copy = copy_photo(data[:-2000], DEFAULT_LIMITS)
    assert SECRET not in copy.data
    with pytest.raises(PhotoError) as caught:
        decode_photo(copy.data)
    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"%PDF-1.7" + bytes(60), Reason.UNSUPPORTED_FORMAT),
        (bytes(500), Reason.NOT_A_PHOTO),
        (encode(photo(), "TIFF")[:3000], Reason.TRUNCATED),
        (encode(photo())[:900], Reason.TRUNCATED),
    ],
)
def test_what_cannot_be_shown_has_no_copy(data, reason):
    assert reason_of(data) is reason


def test_a_photo_that_is_too_small_to_be_labelled_is_kept():
    copy = copy_photo(encode(photo((5, 4))), DEFAULT_LIMITS)
    assert decode_photo(copy.data, limits=DecodeLimits(min_side=1)).size == (5, 4)
