import errno
import io
import os

import numpy as np
import pytest
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.decode import decode_photo, open_photo, read_photo_bytes

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ORIENTATION = 0x0112


def encode(image, format_="PNG", **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def noise(size=(40, 60)):
    """Draw the same noise every time: some noise survives a damage that other noise does not."""
    pixels = np.random.default_rng(0).normal(128, 80, size[::-1]).clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8)).convert("RGB")


def two_halves(left="red", right="blue", size=(80, 40)):
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def reason_of(data, **options):
    with pytest.raises(PhotoError) as caught:
        decode_photo(data, **options)
    return caught.value.reason


@pytest.mark.parametrize("format_", FORMATS)
def test_every_readable_format_becomes_rgb(format_):
    image = decode_photo(encode(Image.new("RGB", (12, 20), (250, 10, 10)), format_))
    assert (image.mode, image.size) == ("RGB", (12, 20))
    np.testing.assert_allclose(np.asarray(image)[5, 5], (250, 10, 10), atol=6)


def test_rgb_pixels_come_out_as_they_were_stored():
    stored = noise()
    np.testing.assert_array_equal(np.asarray(decode_photo(encode(stored))), np.asarray(stored))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_file_cut_off_is_truncated(format_, share):
    data = encode(noise(), format_)
    assert reason_of(data[: int(len(data) * share)]) is Reason.TRUNCATED


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_a_file_cut_off_within_its_header_is_truncated(format_):
    assert reason_of(encode(noise(), format_)[:12]) is Reason.TRUNCATED


@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_damage_inside_a_file_is_corrupt(format_):
    data = bytearray(encode(noise(), format_))
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40
    assert reason_of(bytes(data)) is Reason.CORRUPT


def test_a_damaged_webp_of_full_length_is_corrupt():
    data = bytearray(encode(noise(), "WEBP"))
    data[20:] = b"\xff" * (len(data) - 20)
    assert reason_of(bytes(data)) is Reason.CORRUPT


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"id,gender\n15970,Men\n" * 20, id="a table renamed .jpg"),
        pytest.param(b"<!DOCTYPE html><html>404</html>", id="an error page"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', id="svg"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt " + bytes(80), id="sound"),
        pytest.param(bytes(500), id="zeros"),
        pytest.param(b"\xff", id="one byte"),
    ],
)
def test_other_bytes_are_no_photo(data):
    assert reason_of(data) is Reason.NOT_A_PHOTO


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"8BPS\0\1" + bytes(60), id="psd"),
        pytest.param(b"\0\0\0\x18ftypisom" + bytes(60), id="video"),
        pytest.param(b"%PDF-1.7\n" + bytes(60), id="pdf"),
        pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), id="jpeg 2000"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), id="jpeg xl"),
    ],
)
def test_formats_that_are_not_read_are_named_so(data):
    assert reason_of(data) is Reason.UNSUPPORTED_FORMAT


def test_a_format_that_pillow_could_read_stays_shut():
    assert reason_of(encode(noise(), "ICO")) is Reason.NOT_A_PHOTO


def test_no_bytes_are_an_empty_file():
    assert reason_of(b"") is Reason.EMPTY


def test_too_many_bytes_are_refused_before_decoding():
    assert reason_of(b"no photo at all", limits=DecodeLimits(max_bytes=14)) is Reason.TOO_MANY_BYTES


def test_too_many_pixels_are_refused_and_the_largest_allowed_are_not():
    data = encode(Image.new("L", (100, 50)))
    assert reason_of(data, limits=DecodeLimits(max_pixels=4_999)) is Reason.TOO_MANY_PIXELS
    assert decode_photo(data, limits=DecodeLimits(max_pixels=5_000)).size == (100, 50)


@pytest.mark.costly
def test_a_small_file_of_enormous_size_is_refused():
    data = encode(Image.new("1", (20_000, 20_000)))
    assert len(data) < 100_000
    assert reason_of(data) is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize(("size", "is_too_small"), [((1, 1), True), ((300, 7), True), ((8, 8), False)])
def test_a_photo_under_eight_pixels_a_side_is_too_small(size, is_too_small):
    data = encode(Image.new("RGB", size))
    if is_too_small:
        assert reason_of(data) is Reason.TOO_SMALL
    else:
        assert decode_photo(data).size == size


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(format_):
    red = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    np.testing.assert_allclose(np.asarray(decode_photo(encode(red, format_)))[10, 10], (255, 0, 0), atol=4)


@pytest.mark.parametrize(
    ("orientation", "size", "first", "last"),
    [
        (1, (80, 40), "red", "blue"),
        (2, (80, 40), "blue", "red"),
        (3, (80, 40), "blue", "red"),
        (6, (40, 80), "red", "blue"),
        (8, (40, 80), "blue", "red"),
    ],
)
@pytest.mark.parametrize("at_least", [None, (10, 20)])
def test_exif_rotation_is_applied(orientation, size, first, last, at_least):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encode(two_halves(size=(800, 400)), "JPEG", exif=exif, quality=95)
    image = decode_photo(data, at_least=at_least)
    image = image.resize(size)
    expected = Image.new("RGB", (2, 1), first)
    expected.putpixel((1, 0), {"red": (255, 0, 0), "blue": (0, 0, 255)}[last])
    ends = [image.getpixel((4, 4)), image.getpixel((size[0] - 4, size[1] - 4))]
    np.testing.assert_allclose(ends, np.asarray(expected)[0], atol=6)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_cost_the_photo():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = bytearray(encode(two_halves(), "JPEG", exif=exif))
    start = data.index(b"Exif")
    data[start + 14 : start + 30] = b"\xff" * 16
    assert decode_photo(bytes(data)).size == (80, 40)


def test_a_second_picture_behind_a_jpeg_is_ignored():
    data = encode(two_halves(), "MPO", save_all=True, append_images=[noise((80, 40))])
    assert decode_photo(data).size == (80, 40)
    large = encode(two_halves(size=(800, 400)), "MPO", save_all=True, append_images=[noise((800, 400))])
    assert decode_photo(large, at_least=(110, 55)).size == (200, 100)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        pytest.param(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), {}, id="alpha"),
        pytest.param(Image.new("LA", (20, 20), (0, 0)), {}, id="grey alpha"),
        pytest.param(Image.new("L", (20, 20), 3).convert("P"), {"transparency": 3}, id="palette"),
        pytest.param(
            Image.new("RGB", (20, 20), (255, 0, 255)), {"transparency": (255, 0, 255)}, id="RGB key"
        ),
        pytest.param(Image.new("L", (20, 20), 7), {"transparency": 7}, id="grey key"),
    ],
)
def test_what_is_clear_shows_white_paper(image, options):
    np.testing.assert_array_equal(np.asarray(decode_photo(encode(image, **options))), 255)


def test_half_clear_is_laid_on_white():
    image = decode_photo(encode(Image.new("RGBA", (20, 20), (255, 0, 0, 128))))
    assert image.getpixel((3, 3)) == (255, 127, 127)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="a pipe") as caught:
        read_photo_bytes(tmp_path / "pipe.jpg")
    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("step", ["load", "exif"])
def test_a_photo_for_which_the_memory_is_too_small_is_not_called_damaged(monkeypatch, step):
    def run_out(*_args, **_options):
        raise MemoryError

    data = encode(Image.new("RGB", (20, 20)))
    if step == "load":
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", run_out)
    else:
        monkeypatch.setattr("hangtag.imaging.decode.ImageOps.exif_transpose", run_out)
    with pytest.raises(PhotoError, match="too much memory") as caught:
        decode_photo(data)
    assert caught.value.reason is Reason.TOO_EXPENSIVE


def test_every_transparency_is_laid_on_white_to_the_nearest_level():
    grey, alpha = (np.ascontiguousarray(side) for side in np.mgrid[:256, :256].astype(np.uint8))
    image = decode_photo(encode(Image.fromarray(np.dstack([grey, grey, grey, alpha]))))
    share = alpha / 255.0
    np.testing.assert_array_equal(np.asarray(image)[..., 0], np.rint(grey * share + 255 * (1 - share)))


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bit_grey_becomes_eight(format_):
    ramp = np.linspace(0, 65_535, 400).astype(np.uint16).reshape(20, 20)
    pixels = np.asarray(decode_photo(encode(Image.fromarray(ramp), format_)))
    np.testing.assert_allclose(pixels[..., 0], ramp / 257, atol=1)


def test_eight_bit_values_in_a_wider_mode_stay():
    ramp = np.linspace(0, 255, 400).astype(np.int32).reshape(20, 20)
    pixels = np.asarray(decode_photo(encode(Image.fromarray(ramp), "TIFF")))
    np.testing.assert_array_equal(pixels[..., 1], ramp)


def test_values_over_sixteen_bits_are_brought_down_to_white():
    ramp = np.linspace(0, 2**30, 400).astype(np.int32).reshape(20, 20)
    pixels = np.asarray(decode_photo(encode(Image.fromarray(ramp), "TIFF")))
    assert (pixels.min(), pixels[10, 0, 0], pixels.max()) == (0, pytest.approx(127, abs=2), 255)


@pytest.mark.parametrize("white", [1.0, 255.0, 65_535.0])
def test_floating_point_grey_uses_its_range(white):
    ramp = np.linspace(0, white, 400, dtype=np.float32).reshape(20, 20)
    pixels = np.asarray(decode_photo(encode(Image.fromarray(ramp), "TIFF")))
    np.testing.assert_allclose(pixels[..., 2], ramp / white * 255, atol=1)


def test_values_that_are_no_numbers_are_black():
    values = np.full((20, 20), np.nan, np.float32)
    values[10:] = np.inf
    values[15:] = 0.5
    pixels = np.asarray(decode_photo(encode(Image.fromarray(values), "TIFF")))
    assert (pixels[0, 0, 0], pixels[12, 0, 0], pixels[18, 0, 0]) == (0, 0, 127)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_one_channel_becomes_three(mode):
    image = decode_photo(encode(two_halves("white", "black").convert(mode)))
    assert (image.getpixel((2, 2)), image.getpixel((70, 2))) == ((255, 255, 255), (0, 0, 0))


def test_of_an_animation_the_first_picture_is_used():
    first, *others = (Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue"))
    data = encode(first, "GIF", save_all=True, append_images=others)
    assert decode_photo(data).getpixel((5, 5)) == (255, 0, 0)


def test_a_large_jpeg_is_decoded_smaller_but_never_below_the_need():
    data = encode(two_halves(size=(1600, 1200)), "JPEG")
    assert decode_photo(data).size == (1600, 1200)
    assert decode_photo(data, at_least=(201, 201)).size == (400, 300)
    assert decode_photo(data, at_least=(200, 200)).size == (200, 150)
    assert decode_photo(data, at_least=(200, 1000)).size == (400, 300)  # it might have to be turned
    assert decode_photo(data, at_least=(60, 80)).size == (200, 150)
    assert decode_photo(data, at_least=(3000, 3000)).size == (1600, 1200)


def test_a_decoded_photo_outlives_its_file():
    image = decode_photo(encode(two_halves()))
    image.putpixel((0, 0), (1, 2, 3))
    assert image.getpixel((0, 0)) == (1, 2, 3)


def test_reading_a_file(tmp_path):
    path = tmp_path / "15970.jpg"
    path.write_bytes(b"12345")
    assert read_photo_bytes(path, DecodeLimits(max_bytes=5)) == b"12345"
    for file, limits, reason in (
        (path, DecodeLimits(max_bytes=4), Reason.TOO_MANY_BYTES),
        (tmp_path / "absent.jpg", DecodeLimits(), Reason.NOT_FOUND),
        (tmp_path / "a\0b", DecodeLimits(), Reason.NOT_FOUND),
        (tmp_path / "a\ud800b", DecodeLimits(), Reason.NOT_FOUND),
        (tmp_path, DecodeLimits(), Reason.UNREADABLE),
    ):
        with pytest.raises(PhotoError) as caught:
            read_photo_bytes(file, limits)
        assert caught.value.reason is reason


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_a_lack_of_memory_is_no_damage(error):
    with pytest.raises(PhotoError) as caught, open_photo(encode(noise())):
        raise error
    assert caught.value.reason is Reason.TOO_EXPENSIVE
