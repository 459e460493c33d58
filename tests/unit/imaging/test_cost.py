import numpy as np
import pytest
from PIL import Image

import hostile_files
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.cost import count_pixels, estimate_cost, is_cheap_to_decode
from hostile_files import encode

LIMITS = DecodeLimits()


def photo(size=(120, 160)):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    return Image.fromarray(pixels)


def reason_of(data, **limits):
    with pytest.raises(PhotoError) as caught:
        is_cheap_to_decode(data, DecodeLimits(**limits))
    return caught.value.reason


@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"exif": b"Exif\0\0" + bytes(40), "icc_profile": bytes(90_000)}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0" + bytes(40)}),
    ],
)
def test_what_shops_have_is_cheap(format_, options):
    assert is_cheap_to_decode(encode(photo(), format_, **options), LIMITS)


def test_progressive_photos_of_a_usual_size_are_cheap():
    assert is_cheap_to_decode(encode(photo((1000, 1500)), "JPEG", progressive=True), LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(photo(), "TIFF"), id="tiff"),
        pytest.param(encode(photo(), "BMP"), id="bmp"),
        pytest.param(encode(photo(), "GIF"), id="gif"),
        pytest.param(encode(photo(), "AVIF"), id="avif"),
        pytest.param(hostile_files.png((3000, 2000)), id="large png"),
        pytest.param(hostile_files.webp_of_one_colour((3000, 2000)), id="large webp"),
        pytest.param(hostile_files.progressive_jpeg((512, 512), 100), id="many scans"),
        pytest.param(
            hostile_files.png((64, 64), extra=hostile_files.png_chunk(b"abCd", b"") * 3000), id="chunks"
        ),
        pytest.param(b"\xff\xd8" + b"\xff\xfe\0\2" * 3000 + encode(photo(), "JPEG")[2:], id="segments"),
        pytest.param(b"\xff\xd8" + b"\xff" * 1000 + encode(photo(), "JPEG")[2:], id="padding"),
        pytest.param(encode(photo(), "JPEG")[:30], id="cut off"),
        pytest.param(b"no photo", id="no photo"),
        pytest.param(hostile_files.animated("GIF", 3), id="animated gif"),
        pytest.param(hostile_files.animated("WEBP", 3), id="animated webp"),
    ],
)
def test_all_else_is_not(data):
    assert not is_cheap_to_decode(data, LIMITS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(hostile_files.webp_of_one_colour((8000, 8000)), Reason.TOO_MANY_PIXELS, id="webp"),
        pytest.param(
            hostile_files.webp_of_one_colour((7000, 7000)), Reason.TOO_EXPENSIVE, id="webp's memory"
        ),
        pytest.param(hostile_files.png((20_000, 20_000), rows=1), Reason.TOO_MANY_PIXELS, id="png"),
        pytest.param(hostile_files.progressive_jpeg((7000, 7000), 30), Reason.TOO_EXPENSIVE, id="scans"),
        pytest.param(hostile_files.animated("GIF", 61), Reason.TOO_EXPENSIVE, id="gif"),
        pytest.param(hostile_files.animated("WEBP", 61), Reason.TOO_EXPENSIVE, id="animated webp"),
        pytest.param(hostile_files.animated("PNG", 61), Reason.TOO_EXPENSIVE, id="apng"),
        pytest.param(hostile_files.png((4, 4)), Reason.TOO_SMALL, id="small"),
        pytest.param(b"", Reason.EMPTY, id="empty"),
    ],
)
def test_what_is_beyond_the_limits_is_refused_by_its_marks_alone(data, reason):
    assert reason_of(data) is reason


def test_limits_can_be_chosen():
    data = hostile_files.animated("GIF", 10)
    assert not is_cheap_to_decode(data, LIMITS)
    assert reason_of(data, max_frames=9) is Reason.TOO_EXPENSIVE
    assert reason_of(data, max_bytes=100) is Reason.TOO_MANY_BYTES
    assert reason_of(data, max_pixels=255) is Reason.TOO_MANY_PIXELS


def test_the_environment_sets_limits_by_the_names_of_the_service(monkeypatch):
    assert DecodeLimits.from_environment() == LIMITS
    monkeypatch.setenv("HANGTAG_MAX_PIXELS", "1000")
    monkeypatch.setenv("HANGTAG_MAX_DECODE_SECONDS", "0.5")
    assert DecodeLimits.from_environment() == DecodeLimits(max_pixels=1000, max_seconds=0.5)
    monkeypatch.setenv("HANGTAG_MAX_FRAMES", "few")
    with pytest.raises(UsageError, match="HANGTAG_MAX_FRAMES"):
        DecodeLimits.from_environment()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF"])
def test_pixels_are_counted_without_decoding(format_):
    assert count_pixels(encode(photo(), format_)) == 120 * 160


def test_pixels_of_other_files_are_not_known():
    assert count_pixels(encode(photo(), "TIFF")) is None
    assert count_pixels(b"\xff\xd8\xff") is None


def test_the_scans_of_a_jpeg_add_to_what_it_costs_and_pictures_of_a_gif_are_not_counted():
    usual = estimate_cost(encode(photo((1000, 1500)), "JPEG"), LIMITS)
    slow = estimate_cost(hostile_files.progressive_jpeg((1000, 1500), 40), LIMITS)
    assert usual == (1_500_000, True)
    assert (slow[0] // usual[0], slow[1]) == (10, False)
    gif = encode(photo(), "GIF", save_all=True, append_images=[photo().rotate(turn) for turn in (3, 5, 7)])
    with pytest.raises(PhotoError):
        is_cheap_to_decode(gif, DecodeLimits(max_frames=2))
    assert estimate_cost(gif, DecodeLimits(max_frames=2)) == (120 * 160, False)
