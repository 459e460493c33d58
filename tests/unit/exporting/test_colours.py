"""Dominant colours are those of the garment, whatever is behind it."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hangtag.exporting.colours import dominant_colours

NAVY, WHITE, RED = (31, 58, 95), (255, 255, 255), (200, 30, 40)


def paint(background, *parts):
    image = Image.new("RGB", (180, 240), background)
    for colour, box in parts:
        ImageDraw.Draw(image).rectangle(box, fill=colour)
    return image


def rgb(colour):
    return tuple(int(colour.hex[place : place + 2], 16) for place in (1, 3, 5))


@pytest.mark.parametrize("background", [WHITE, (240, 240, 238), (20, 20, 20), (180, 200, 170)])
def test_the_background_does_not_count(background):
    (colour,) = dominant_colours(paint(background, (NAVY, (50, 60, 130, 200))))
    assert rgb(colour) == NAVY
    assert colour.share > 0.9  # its edges are mixed when the photo is reduced


def test_several_colours_come_with_their_shares():
    found = dominant_colours(paint(WHITE, (NAVY, (40, 40, 139, 199)), (RED, (40, 160, 139, 199))))
    assert [rgb(colour) for colour in found] == [NAVY, RED]
    assert found[0].share == pytest.approx(0.75, abs=0.03)


def test_white_within_the_garment_is_a_colour_of_it():
    found = dominant_colours(paint(WHITE, (NAVY, (30, 30, 150, 210)), (WHITE, (60, 60, 120, 180))))
    assert [rgb(colour) for colour in found] == [NAVY, WHITE]


def test_a_garment_as_pale_as_its_background_is_still_one():
    (colour,) = dominant_colours(paint(WHITE, ((250, 250, 250), (50, 60, 130, 200))))
    assert min(rgb(colour)) > 245


def test_noise_and_shade_are_one_colour():
    shades = np.clip(np.array(NAVY) + np.random.default_rng(7).normal(0, 5, (240, 180, 3)), 0, 255)
    image = paint(WHITE, (NAVY, (50, 60, 130, 200)))
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).rectangle((50, 60, 130, 200), fill=255)
    image.paste(Image.fromarray(shades.astype(np.uint8)), mask=mask)
    (colour,) = dominant_colours(image)
    assert np.abs(np.array(rgb(colour)) - NAVY).max() < 8


def test_the_count_is_a_limit():
    bands = [
        ((40 * place, 255 - 40 * place, 90), (20, 20 + 30 * place, 160, 50 + 30 * place))
        for place in range(6)
    ]
    assert len(dominant_colours(paint(WHITE, *bands), 2)) == 2
