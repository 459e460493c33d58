"""Files that every viewer shows are decoded, and those that lack pixels are still refused."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.oddities import METADATA_LIMIT, drop_odd_metadata

LARGE = b"<li>0123456789</li>" * 60_000


def photo(size=(48, 64)):
    pixels = np.random.default_rng(3).normal(128, 60, (size[1], size[0], 3)).clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def encode(image, format_, **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def chunk(kind, body, checksum=0):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ checksum)


def with_chunks(*chunks):
    png = encode(photo(), "PNG")
    place = png.index(b"IDAT") - 4
    return png[:place] + b"".join(chunks) + png[place:]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(LARGE)), id="packed text"),
        pytest.param(
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(LARGE)), id="international text"
        ),
        pytest.param(chunk(b"tEXt", b"Comment\0" + LARGE) * 3, id="a great deal of text"),
        pytest.param(
            chunk(b"iCCP", b"icc\0\0" + zlib.compress(os.urandom(600_000) + bytes(900_000))), id="profile"
        ),
        pytest.param(chunk(b"zTXt", b"Comment\0\0" + b"not packed at all"), id="broken text"),
        pytest.param(chunk(b"tEXt", b"Comment\0hello", checksum=1), id="a wrong checksum in a text"),
        pytest.param(
            chunk(b"zTXt", b"Comment\0\7" + zlib.compress(b"hello")), id="text packed in another way"
        ),
        pytest.param(chunk(b"gAMA", b"\0"), id="half a gamma"),
        pytest.param(chunk(b"pHYs", b"\0"), id="half a resolution"),
        pytest.param(chunk(b"tRNS", b"\0\0"), id="half a clear colour"),
        pytest.param(chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0", checksum=1), id="a wrong checksum in EXIF"),
    ],
)
def test_odd_metadata_does_not_cost_a_png(odd):
    np.testing.assert_array_equal(np.asarray(decode_photo(with_chunks(odd))), np.asarray(photo()))


def test_metadata_that_is_in_order_stays():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "hello", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>', zip=True)
    data = encode(photo(), "PNG", pnginfo=texts, icc_profile=b"profile")
    assert drop_odd_metadata(data) is data
    assert decode_photo(data).size == (64, 48)
    odd = chunk(b"tEXt", b"Comment\0" + bytes(METADATA_LIMIT))
    place = data.index(b"IDAT") - 4
    assert drop_odd_metadata(data[:place] + odd + data[place:]) == data


JPEGS = [
    pytest.param({}, id="baseline"),
    pytest.param({"progressive": True}, id="progressive"),
    pytest.param({"optimize": True, "quality": 30}, id="own tables"),
    pytest.param({"restart_marker_blocks": 2}, id="restart marks"),
]


@pytest.mark.parametrize("options", JPEGS)
def test_a_jpeg_without_its_end_mark_is_whole(options):
    data = encode(photo(), "JPEG", **options)
    whole = np.asarray(decode_photo(data))
    np.testing.assert_array_equal(np.asarray(decode_photo(data[:-2])), whole)
    np.testing.assert_array_equal(np.asarray(decode_photo(data[:-1])), whole)


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("cut", [12, 40, 300])
def test_a_jpeg_that_lacks_pixels_too_is_truncated(options, cut):
    with pytest.raises(PhotoError) as caught:
        decode_photo(encode(photo(), "JPEG", **options)[:-cut])
    assert caught.value.reason is Reason.TRUNCATED


def test_bytes_behind_the_end_mark_do_not_matter():
    data = encode(photo(), "JPEG")
    np.testing.assert_array_equal(np.asarray(decode_photo(data + bytes(50))), np.asarray(decode_photo(data)))
