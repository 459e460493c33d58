"""AVIF and HEIC: told apart, decoded like every other photo, and HEIC named where nothing can decode it."""

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging import boxes, decode
from hangtag.imaging.cost import estimate_cost
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.quality import inspect_photo
from hangtag.imaging.samples import load_sample_photos
from hangtag.imaging.thumbnails import render_photo
from hostile_files import encode

HEIC = (Path(__file__).parents[2] / "contracts" / "dress.heic").read_bytes()
"""The drawn dress on its side, turned by its boxes, with EXIF and a profile of Display P3."""

needs_library = pytest.mark.skipif(
    not any(map(importlib.util.find_spec, ("pi_heif", "pillow_heif"))),
    reason="the extra `heic` is not installed",
)


def reason_of(data):
    with pytest.raises(PhotoError) as caught:
        decode_photo(data)
    return caught.value


@needs_library
def test_a_heic_is_decoded_upright_in_srgb_and_apart():
    assert estimate_cost(HEIC, decode.DEFAULT_LIMITS) == (None, False)
    quality, found = inspect_photo(HEIC)
    assert (quality.format, found.size, quality.frames) == ("HEIF", (240, 320), 1)
    drawn = load_sample_photos()["dress"]
    difference = np.abs(np.asarray(found, int) - np.asarray(drawn, int)).mean(axis=(0, 1))
    with decode.open_photo(HEIC) as stored:
        unconverted = np.asarray(stored.convert("RGB"), int)
    assert difference.max() < 12
    assert np.abs(unconverted - np.asarray(found, int)).max() > 10


@needs_library
def test_a_heic_has_a_thumbnail_without_metadata():
    shown, _ = render_photo(HEIC, 64, decode.DEFAULT_LIMITS)
    with Image.open(io.BytesIO(shown)) as image:
        assert (image.size, image.format, len(image.getexif())) == ((48, 64), "JPEG", 0)


@needs_library
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.99])
def test_a_heic_that_is_cut_off_says_so(share):
    assert reason_of(HEIC[: round(len(HEIC) * share)]).reason is Reason.TRUNCATED


def test_without_its_library_a_heic_names_what_to_install(monkeypatch):
    monkeypatch.setattr(decode, "load_heic", lambda: False)
    with pytest.raises(PhotoError) as caught, decode.open_photo(HEIC):
        pass
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT
    assert "pip install 'hangtag[heic]'" in caught.value.detail


@pytest.mark.parametrize(
    ("first_box", "is_avif", "is_heic"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", False, True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", False, True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", True, False),
        (b"\0\0\0\x14ftypavif\0\0\0\0avis", True, False),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", False, False),
        (b"\0\0\0\x18ftyp", False, False),
        (b"", False, False),
    ],
)
def test_what_a_file_of_boxes_holds_is_told_by_its_brands(first_box, is_avif, is_heic):
    assert (boxes.is_avif(first_box), boxes.is_heic(first_box)) == (is_avif, is_heic)


def test_an_avif_is_decoded_everywhere():
    drawn = load_sample_photos()["dress"]
    found = decode_photo(encode(drawn, "AVIF", quality=90))
    assert np.abs(np.asarray(found, int) - np.asarray(drawn, int)).mean() < 3
