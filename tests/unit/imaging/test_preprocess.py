import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.imaging.preprocess import Preprocessing, border_colour, prepare_photo

SMALL = Preprocessing(width=84, height=112, detail_width=60, detail_height=80)
sides = st.integers(min_value=1, max_value=90)


def encode(image, format_="PNG"):
    file = io.BytesIO()
    image.save(file, format_)
    return file.getvalue()


def pattern(width, height):
    """A photo whose every pixel differs from its neighbours."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(
        np.stack([rows * 3 % 256, columns * 5 % 256, (rows + columns) % 256], 2).astype(np.uint8)
    )


@given(width=sides, height=sides, fit=st.sampled_from(["border", "stretch"]), into=st.tuples(sides, sides))
def test_the_pixels_always_have_the_asked_shape(width, height, fit, into):
    preprocessing = Preprocessing(*into, detail_width=60, detail_height=80, fit=fit)
    pixels = preprocessing.apply(Image.new("RGB", (width, height), (9, 8, 7)))
    assert (pixels.shape, pixels.dtype) == ((into[1], into[0], 3), np.uint8)
    np.testing.assert_array_equal(pixels.reshape(-1, 3), [(9, 8, 7)] * (into[0] * into[1]))


@pytest.mark.parametrize("fit", ["border", "stretch"])
@pytest.mark.parametrize("size", [(60, 80), (30, 80), (84, 112)])
def test_the_pixels_can_be_written_to(fit, size):
    pixels = Preprocessing(84, 112, 84, 112, fit).apply(Image.new("RGB", size))
    pixels[0, 0] = 5
    assert pixels[0, 0, 0] == 5


def test_a_photo_of_the_right_size_is_left_alone():
    image = pattern(60, 80)
    np.testing.assert_array_equal(Preprocessing(60, 80, 60, 80).apply(image), np.asarray(image))


def test_a_wide_photo_stands_in_the_middle_of_its_border_colour():
    image = Image.new("RGB", (80, 20), (200, 180, 160))
    image.paste((0, 0, 0), (20, 5, 60, 15))
    pixels = Preprocessing(80, 80, 80, 80).apply(image)
    np.testing.assert_array_equal(pixels[30:50], np.asarray(image))
    np.testing.assert_array_equal(pixels[:30].reshape(-1, 3), [(200, 180, 160)] * 2400)
    np.testing.assert_array_equal(pixels[50:].reshape(-1, 3), [(200, 180, 160)] * 2400)


def test_a_tall_photo_gets_its_border_left_and_right():
    pixels = Preprocessing(80, 80, 80, 80).apply(pattern(20, 80))
    np.testing.assert_array_equal(pixels[:, 30:50], np.asarray(pattern(20, 80)))


def test_stretching_fills_everything():
    image = Image.new("RGB", (80, 20), "white")
    image.paste((0, 0, 0), (0, 0, 40, 20))
    pixels = Preprocessing(80, 80, 80, 80, "stretch").apply(image)
    assert pixels[:, :30].max() < 10
    assert pixels[:, 50:].min() > 245


def test_detail_beyond_the_limit_is_taken_away():
    dots = Image.fromarray((np.indices((800, 600)).sum(0) % 2 * 255).astype(np.uint8)).convert("RGB")
    kept = Preprocessing(600, 800, 600, 800).apply(dots)
    reduced = Preprocessing(600, 800, 60, 80).apply(dots)
    assert kept.std() > 120
    assert reduced.std() < 5
    assert reduced.mean() == pytest.approx(127.5, abs=2)


def test_a_photo_smaller_than_the_detail_is_enlarged_all_the_same():
    assert SMALL.apply(pattern(10, 10)).shape == (112, 84, 3)


def test_the_border_colour_is_the_median_of_the_edges():
    pixels = np.full((10, 10, 3), 240, np.uint8)
    pixels[1:9, 1:9] = 0
    pixels[0, :4] = (255, 0, 0)
    np.testing.assert_array_equal(border_colour(pixels), (240, 240, 240))


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"detail_height": -1},
        {"width": "84"},
        {"height": 112.0},
        {"height": True},
        {"fit": "crop"},
        {"detail_width": None},
    ],
)
def test_impossible_values_are_refused(change):
    with pytest.raises(ValueError, match=r"sizes are positive whole numbers|fit is"):
        Preprocessing.from_json(SMALL.to_json() | change)


def test_json_goes_round():
    assert Preprocessing.from_json(json.loads(json.dumps(SMALL.to_json()))) == SMALL


def test_json_with_other_fields_is_refused():
    values = SMALL.to_json()
    with pytest.raises(ValueError, match="exactly the fields"):
        Preprocessing.from_json({**values, "mean": 0})
    del values["fit"]
    with pytest.raises(ValueError, match="exactly the fields"):
        Preprocessing.from_json(values)


def test_preparing_a_photo_is_decoding_and_applying():
    image = pattern(60, 80)
    np.testing.assert_array_equal(prepare_photo(encode(image), SMALL), SMALL.apply(image))


def test_a_large_jpeg_decoded_small_gives_nearly_the_same_pixels():
    image = pattern(75, 100).resize((1200, 1600), Image.Resampling.BICUBIC)
    prepared = prepare_photo(encode(image, "JPEG"), SMALL).astype(int)
    assert np.abs(prepared - SMALL.apply(image)).mean() < 2


def test_a_bad_photo_keeps_its_reason():
    with pytest.raises(PhotoError) as caught:
        prepare_photo(b"no photo", SMALL)
    assert caught.value.reason is Reason.NOT_A_PHOTO
    with pytest.raises(PhotoError) as caught:
        prepare_photo(encode(pattern(60, 80)), SMALL, DecodeLimits(max_pixels=100))
    assert caught.value.reason is Reason.TOO_MANY_PIXELS


@given(
    size=st.tuples(sides, sides),
    into=st.tuples(sides, sides),
    detail=st.tuples(sides, sides),
    fit=st.sampled_from(["border", "stretch"]),
)
def test_the_box_is_where_the_photo_stands(size, into, detail, fit):
    preprocessing = Preprocessing(*into, *detail, fit)
    left, top, width, height = preprocessing.box_of(size)
    assert left >= 0
    assert top >= 0
    assert left + width <= into[0]
    assert top + height <= into[1]
    assert width == into[0] or height == into[1]
    photo = Image.new("RGB", size, (9, 8, 7))
    reduced = preprocessing.apply(photo)
    assert reduced.shape[:2] == (into[1], into[0])


@pytest.mark.parametrize(
    ("size", "box"), [((60, 80), (0, 0, 84, 112)), ((80, 20), (0, 45, 84, 21)), ((10, 90), (36, 0, 12, 112))]
)
def test_the_box_of_a_photo_that_fits_or_not(size, box):
    assert Preprocessing(84, 112, 200, 200).box_of(size) == box


def test_only_the_box_shows_the_photo():
    preprocessing = Preprocessing(84, 112, 60, 80)
    photo = Image.new("RGB", (200, 100), (0, 0, 0))
    photo.paste((250, 250, 250), (6, 6, 194, 94))  # the border stays black
    left, top, width, height = preprocessing.box_of(photo.size)
    is_lit = (preprocessing.apply(photo)[..., 0] > 120).nonzero()
    assert (is_lit[0].min(), is_lit[0].max()) == (top + 3, top + height - 4)
    assert (is_lit[1].min(), is_lit[1].max()) == (left + 3, left + width - 4)
