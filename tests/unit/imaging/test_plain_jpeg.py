"""Plain JPEGs take a short way and get the pixels that Pillow gives; all others take the usual way."""

import io

import numpy as np
import pytest
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging import decode, plain_jpeg
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.plain_jpeg import plain_size

pytest.importorskip("simplejpeg")


def photo(size=(60, 80), mode="RGB", seed=0):
    dice = np.random.default_rng(seed)
    coarse = Image.fromarray(dice.integers(0, 256, (7, 5, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    noisy = np.asarray(coarse, float) + dice.normal(0, 12, (size[1], size[0], 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).convert(mode)


def encode(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def through_pillow(data, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "plain_size", lambda _data: None)
        return decode_photo(data, **options)


@pytest.mark.parametrize("size", [(60, 80), (61, 79), (8, 8), (225, 300), (299, 201)])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [20, 75, 96])
def test_the_pixels_are_those_of_pillow(size, subsampling, quality):
    data = encode(photo(size, seed=quality), subsampling=subsampling, quality=quality)
    assert plain_size(data) == size
    np.testing.assert_array_equal(np.asarray(decode_photo(data)), np.asarray(through_pillow(data)))


@pytest.mark.parametrize("options", [{"optimize": True}, {"restart_marker_blocks": 3}, {"comment": b"hello"}])
def test_what_else_a_plain_file_may_hold(options):
    data = encode(photo(), **options)
    assert plain_size(data) == (60, 80)
    np.testing.assert_array_equal(np.asarray(decode_photo(data)), np.asarray(through_pillow(data)))


def test_grey_is_plain():
    data = encode(photo(mode="L"))
    assert plain_size(data) == (60, 80)
    np.testing.assert_array_equal(np.asarray(decode_photo(data)), np.asarray(through_pillow(data)))


def test_the_short_way_is_taken(monkeypatch):
    monkeypatch.setattr(decode, "open_photo", None)
    assert decode_photo(encode(photo())).size == (60, 80)


exif = Image.Exif()
exif[0x0112] = 6


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(photo(), exif=exif), id="EXIF"),
        pytest.param(encode(photo(), icc_profile=b"profile"), id="profile"),
        pytest.param(encode(photo(), progressive=True), id="progressive: it can take very long"),
        pytest.param(encode(photo(mode="CMYK")), id="CMYK"),
        pytest.param(encode(photo((1100, 1000))), id="large"),
        pytest.param(encode(photo())[:40], id="cut off in the header"),
        pytest.param(b"\xff\xd8", id="two bytes"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xd8\xff\xe0\0\0" * 3, id="segments of no length"),
    ],
)
def test_other_files_take_the_usual_way(data):
    assert plain_size(data) is None


def test_several_scans_are_not_plain():
    data = encode(photo())
    scan = data.index(b"\xff\xda")
    assert plain_size(data[: scan + 4] + b"\1" + data[scan + 5 :]) is None


def test_damage_is_described_by_the_usual_way():
    data = encode(photo((200, 200)))
    for broken, reason in (
        (data[: len(data) // 2], Reason.TRUNCATED),
        (data[: len(data) // 2] + b"\xff\xd9", None),
    ):
        assert plain_size(broken) == (200, 200)
        if reason is None:
            expected = through_pillow(broken)
            np.testing.assert_array_equal(np.asarray(decode_photo(broken)), np.asarray(expected))
            continue
        with pytest.raises(PhotoError) as caught:
            decode_photo(broken)
        assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (DecodeLimits(max_pixels=4_799), Reason.TOO_MANY_PIXELS),
        (DecodeLimits(max_bytes=100), Reason.TOO_MANY_BYTES),
        (DecodeLimits(min_side=61), Reason.TOO_SMALL),
    ],
)
def test_the_limits_hold(limits, reason):
    with pytest.raises(PhotoError) as caught:
        decode_photo(encode(photo()), limits=limits)
    assert caught.value.reason is reason


@pytest.mark.parametrize("at_least", [(30, 40), (60, 80), (120, 160), (29, 40)])
def test_a_photo_that_can_be_decoded_smaller_is(at_least):
    data = encode(photo())
    found, expected = decode_photo(data, at_least=at_least), through_pillow(data, at_least=at_least)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_without_the_library_pillow_decodes_everything(monkeypatch):
    monkeypatch.setattr(plain_jpeg, "simplejpeg", None)
    data = encode(photo())
    assert plain_size(data) is None
    assert decode_photo(data).size == (60, 80)
