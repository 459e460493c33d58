import numpy as np
import pytest
from PIL import Image

from hangtag.imaging.heat import SHADES, bring_to_photo, heat_colours, render_overlay
from hangtag.imaging.preprocess import Preprocessing

# What protanopes, deuteranopes and tritanopes see of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
SEEN = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colours):
    share = colours / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lightness(colours):
    """CIE L* of linear RGB."""
    luminance = np.clip(colours @ (0.2126, 0.7152, 0.0722), 0, 1)
    return 116 * np.cbrt(luminance) - 16


@pytest.mark.parametrize("eyes", SEEN)
def test_hotter_is_brighter_for_all_eyes(eyes):
    seen = lightness(linear(heat_colours()) @ np.array(SEEN[eyes]).T)
    assert (np.diff(seen[::4]) > 0).all()  # one shade of 256 may round to the same
    assert seen[-1] - seen[0] > 80


def test_equal_differences_of_heat_look_equal():
    """In OKLab, whose numbers here are computed from the colours and not taken from the module."""
    lms = np.cbrt(
        linear(heat_colours())
        @ np.array(
            [
                (0.4122214708, 0.5363325363, 0.0514459929),
                (0.2119034982, 0.6806995451, 0.1073969566),
                (0.0883024619, 0.2817188376, 0.6299787005),
            ]
        ).T
    )
    oklab = (
        lms
        @ np.array(
            [
                (0.2104542553, 0.7936177850, -0.0040720468),
                (1.9779984951, -2.4285922050, 0.4505937099),
                (0.0259040371, 0.7827717662, -0.8086757660),
            ]
        ).T
    )
    steps = np.linalg.norm(np.diff(oklab[::16], axis=0), axis=1)
    assert len(heat_colours()) == SHADES
    assert steps.max() < 1.25 * steps.min()


def test_the_photo_stays_readable_under_its_heat():
    photo = Image.new("RGB", (40, 30), "white")
    photo.paste("black", (10, 10, 20, 20))
    for heat in (0.0, 0.5, 1.0):
        shown = np.asarray(render_overlay(photo, np.full((3, 4), heat, np.float32)).convert("L"), int)
        assert shown[25, 35] - shown[15, 15] > 80


def test_hot_places_are_brighter_than_cold_ones_of_the_same_photo():
    heat = np.zeros((30, 40), np.float32)
    heat[:, 20:] = 1
    shown = np.asarray(render_overlay(Image.new("RGB", (80, 60), (128, 128, 128)), heat).convert("L"), int)
    assert shown.shape == (60, 80)
    assert shown[30, 70] - shown[30, 10] > 80


@pytest.mark.parametrize("size", [(60, 80), (240, 320), (300, 100), (90, 400), (37, 53), (1000, 700)])
@pytest.mark.parametrize("fit", ["border", "stretch"])
def test_heat_lies_on_the_photo_where_the_pixels_came_from(size, fit):
    """A white dot of the photo goes the whole way: through preprocessing, as heat, back to where it is."""
    preprocessing = Preprocessing(84, 112, 60, 80, fit)
    width, height = size
    for x, y in ((0.25, 0.25), (0.75, 0.5), (0.5, 0.85)):
        photo = Image.new("RGB", size, "black")
        radius = (max(1, width // 12), max(1, height // 12))
        centre = (round(x * width), round(y * height))
        photo.paste(
            "white",
            (centre[0] - radius[0], centre[1] - radius[1], centre[0] + radius[0], centre[1] + radius[1]),
        )
        heat = preprocessing.apply(photo)[..., 0].astype(np.float32) / 255
        found = bring_to_photo(heat, preprocessing.box_of(size), size)
        assert found.shape == (height, width)
        rows, columns = np.mgrid[:height, :width] + 0.5
        place = ((columns * found).sum() / found.sum(), (rows * found).sum() / found.sum())
        off = np.abs(np.subtract(place, centre)) / size
        assert off.max() < 0.02


def test_what_lies_on_the_border_is_left_out():
    preprocessing = Preprocessing(80, 80, 80, 80)
    heat = np.zeros((80, 80), np.float32)
    heat[:25] = 1  # a photo of 80x20 stands in rows 30 to 50
    assert bring_to_photo(heat, preprocessing.box_of((80, 20)), (80, 20)).max() == 0


def test_heat_never_leaves_its_range():
    heat = np.random.default_rng(0).integers(0, 2, (12, 9)).astype(np.float32)
    found = bring_to_photo(heat, Preprocessing(9, 12, 60, 80).box_of((90, 120)), (90, 120))
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
