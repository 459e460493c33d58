import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from hangtag.domain.prediction import Flag
from hangtag.imaging.preprocess import Preprocessing
from hangtag.imaging.samples import load_sample_photos
from hangtag.imaging.visibility import QUALITY_FLAGS, flag_photos

SMALL = Preprocessing(width=84, height=112, detail_width=60, detail_height=80)
SAMPLES = list(load_sample_photos().values())


def flags_of(*images, preprocessing=SMALL):
    pixels = np.stack([preprocessing.apply(image) for image in images])
    flagged = flag_photos(pixels, [image.size for image in images], preprocessing)
    return [{flag for flag, is_set in zip(QUALITY_FLAGS, row, strict=True) if is_set} for row in flagged]


def as_jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return Image.open(file).convert("RGB")


def reduced(image, width):
    return image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS)


@pytest.mark.parametrize(
    "preprocessing",
    [SMALL, Preprocessing(160, 160, 120, 120), Preprocessing(84, 112, 60, 80, "stretch")],
    ids=["catalogue", "square", "stretch"],
)
def test_the_drawn_samples_have_no_flag(preprocessing):
    assert flags_of(*SAMPLES, preprocessing=preprocessing) == [set()] * len(SAMPLES)
    thumbnails = [as_jpeg(reduced(image, 60)) for image in SAMPLES]
    assert flags_of(*thumbnails) == [set()] * len(SAMPLES)


@pytest.mark.parametrize("level", [0, 20, 128, 250, 255])
def test_a_photo_of_nothing_is_blank(level):
    for size in ((60, 80), (80, 60), (300, 300)):
        (flags,) = flags_of(as_jpeg(Image.new("L", size, level).convert("RGB")))
        assert flags == ({Flag.BLANK} if level > 100 else {Flag.BLANK, Flag.TOO_DARK})


def test_a_photo_without_light_is_too_dark():
    dark = [image.point(lambda level: level * 0.15) for image in SAMPLES]
    assert all(Flag.TOO_DARK in flags for flags in flags_of(*dark))


def test_a_bright_thing_on_black_is_not_too_dark():
    night = Image.new("RGB", (60, 80))
    night.paste((255, 255, 255), (20, 30, 40, 50))
    assert flags_of(night) == [set()]


@pytest.mark.parametrize("size", [(300, 400), (400, 300), (350, 350)])
def test_a_blurred_photo_is_blurred_whatever_its_shape_and_the_border_around_it(size):
    sharp = [image.resize(size) for image in SAMPLES]
    blurred = [image.filter(ImageFilter.GaussianBlur(size[0] / 30)) for image in sharp]
    assert flags_of(*sharp) == [set()] * len(SAMPLES)
    assert flags_of(*blurred) == [{Flag.BLURRED}] * len(SAMPLES)


def test_a_thumbnail_of_a_thumbnail_is_too_small_and_not_called_blurred():
    assert flags_of(*[reduced(image, 24) for image in SAMPLES]) == [{Flag.TOO_SMALL}] * len(SAMPLES)
    assert flags_of(*[reduced(image, 30) for image in SAMPLES]) == [set()] * len(SAMPLES)


def test_no_photos_have_no_flags():
    assert flag_photos(np.empty((0, 112, 84, 3), np.uint8), [], SMALL).shape == (0, len(QUALITY_FLAGS))


def test_a_photo_has_the_same_flags_alone_and_in_a_batch():
    photos = [*SAMPLES, *[image.filter(ImageFilter.GaussianBlur(12)) for image in SAMPLES]]
    assert flags_of(*photos) == [flags_of(photo)[0] for photo in photos]
