import io

import pytest
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import PHOTO_SUFFIXES
from hangtag.imaging.quality import FORMATS_BY_SUFFIX, inspect_photo


def encode(image, format_, **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def quality_of(image, format_="PNG", **options):
    return inspect_photo(encode(image, format_, **options))[0]


def with_thing(shade):
    photo = Image.new("RGB", (60, 80), "white")
    photo.paste((shade,) * 3, (20, 30, 40, 50))
    return photo


def test_every_ending_that_is_looked_for_promises_a_format():
    assert set(FORMATS_BY_SUFFIX) == PHOTO_SUFFIXES


def test_the_stored_format_mode_and_upright_size_are_told():
    exif = Image.Exif()
    exif[0x0112] = 6
    quality, image = inspect_photo(encode(Image.new("CMYK", (40, 20)), "JPEG", exif=exif))
    assert (quality.format, quality.mode, quality.width, quality.height) == ("JPEG", "CMYK", 20, 40)
    assert (image.mode, image.size) == ("RGB", (20, 40))


@pytest.mark.parametrize(
    ("format_", "name", "fits"),
    [
        ("JPEG", "a.jpg", True),
        ("JPEG", "a.JPEG", True),
        ("PNG", "a.jpg", False),
        ("JPEG", "a.png", False),
        ("TIFF", "a.tif", True),
        ("WEBP", "a.unknown", True),
        ("GIF", "a", True),
    ],
)
def test_the_name_promises_a_format(format_, name, fits):
    assert quality_of(with_thing(0), format_).fits_name(name) is fits


def test_two_pictures_of_a_phone_fit_a_jpg_and_are_one_photo():
    quality = quality_of(with_thing(0), "MPO", save_all=True, append_images=[with_thing(9)])
    assert quality.fits_name("a.jpg")
    assert quality.frames == 1


@pytest.mark.parametrize(
    ("mode", "is_grey"), [("L", True), ("1", True), ("LA", True), ("I;16", True), ("RGB", False)]
)
def test_grey_is_what_the_file_stores(mode, is_grey):
    assert quality_of(Image.new(mode, (10, 10))).is_grey is is_grey


def test_transparency_counts_even_where_nothing_is_clear():
    assert quality_of(Image.new("RGBA", (10, 10), (1, 2, 3, 255))).is_transparent
    assert quality_of(Image.new("RGB", (10, 10)), transparency=(1, 2, 3)).is_transparent
    assert not quality_of(Image.new("RGB", (10, 10))).is_transparent


def test_frames_are_counted():
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "lime", "blue")]
    assert quality_of(frames[0], "GIF", save_all=True, append_images=frames[1:]).frames == 3
    assert quality_of(frames[0], "GIF").frames == 1


def test_an_animation_cut_off_after_its_first_picture_is_a_photo():
    frames = [Image.effect_noise((60, 60), 80 + number) for number in range(3)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    quality, image = inspect_photo(data[: len(data) // 2])
    assert (quality.format, image.size) == ("GIF", (60, 60))


@pytest.mark.parametrize(
    ("shade", "is_blank", "is_nearly_blank"),
    [(255, True, False), (253, True, False), (248, False, True), (220, False, False), (0, False, False)],
)
def test_blank_is_told_by_contrast(shade, is_blank, is_nearly_blank):
    quality = quality_of(with_thing(shade))
    assert (quality.is_blank, quality.is_nearly_blank) == (is_blank, is_nearly_blank)


def test_a_photo_of_one_colour_is_blank_whatever_the_colour():
    assert quality_of(Image.new("RGB", (60, 80), (12, 99, 140)), "JPEG").is_blank


def test_contrast_is_the_deviation_of_the_brightness():
    halves = Image.new("L", (10, 10), 255)
    halves.paste(0, (0, 0, 5, 10))
    assert quality_of(halves).contrast == pytest.approx(127.5)


def test_a_bad_photo_raises_its_reason():
    with pytest.raises(PhotoError) as caught:
        inspect_photo(b"text")
    assert caught.value.reason is Reason.NOT_A_PHOTO
