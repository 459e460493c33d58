import itertools

import numpy as np
import pytest
from PIL import Image

from hangtag.imaging.canvas import Canvas, curve, ellipse, mirror, outline, stroke, within, without
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.samples import draw_sample_photos, write_sample_photos

NAMES = ["tshirt", "trousers", "dress", "shoe", "handbag", "watch", "cap", "sunglasses"]


@pytest.fixture(scope="module")
def photos():
    return draw_sample_photos()


def test_every_sample_is_a_product_in_the_middle_of_white(photos):
    assert list(photos) == NAMES
    for name, image in photos.items():
        assert (image.mode, image.size) == ("RGB", (240, 320)), name
        pixels = np.asarray(image)
        corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert corners.min() == 255, name
        drawn = (pixels.min(axis=2) < 200).mean()
        assert 0.05 < drawn < 0.6, name


def test_drawing_again_gives_the_same_pixels(photos):
    again = draw_sample_photos()
    assert all(again[name].tobytes() == photos[name].tobytes() for name in NAMES)


def test_no_two_samples_look_alike(photos):
    for one, other in itertools.combinations(photos.values(), 2):
        assert np.abs(np.asarray(one, int) - np.asarray(other, int)).mean() > 5


def test_edges_are_smooth(photos):
    row = np.asarray(photos["watch"].convert("L"))[160]
    edge = row[(row > 190) & (row < 250)]
    assert edge.size > 0


def test_written_files_hold_the_drawn_pixels(photos, tmp_path):
    paths = write_sample_photos(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"{name}.png" for name in NAMES]
    for path in paths:
        assert decode_photo(path.read_bytes()).tobytes() == photos[path.stem].tobytes()


def test_a_repeated_point_is_a_sharp_corner():
    square = [(0, 0), (0, 0), (8, 0), (8, 0), (8, 8), (8, 8), (0, 8), (0, 8)]
    line = curve(square)
    assert set(square) <= set(line)
    assert all(x in (0, 8) or y in (0, 8) for x, y in line)


def test_an_open_curve_starts_and_ends_at_its_ends():
    line = curve([(1, 1), (5, 9), (9, 1)], closed=False)
    assert (line[0], line[-1]) == ((1, 1), (9, 1))
    assert (5, 9) in line


def test_a_mirrored_outline_is_symmetric():
    outline = mirror([(120, 10), (150, 40)])
    assert outline == [(120, 10), (150, 40), (90, 40), (120, 10)]


def test_masks_combine_like_cut_paper():
    large, small = ellipse((100, 100), (40, 40)), ellipse((100, 100), (20, 20))
    ring = without(large, small)
    assert ring.getpixel((100, 100)) == 0
    assert ring.getpixel((130, 100)) == 255
    assert within(large, small).tobytes() == small.tobytes()


def test_a_filled_shape_stays_inside_its_mask():
    canvas, line = Canvas(), stroke([(50, 50), (150, 50)], 10)
    canvas.fill(line, (200, 0, 0))
    untouched = Image.new("RGB", canvas.image.size, (255, 255, 255))
    painted = np.asarray(canvas.image) != np.asarray(untouched)
    assert painted.any()
    assert not (painted.any(axis=2) & (np.asarray(line) == 0)).any()


def test_an_outline_is_read_from_text():
    assert outline("30,60 42.5,60! -1,0") == [(30, 60), (42.5, 60), (42.5, 60), (-1, 0)]
    with pytest.raises(ValueError, match="could not convert"):
        outline("30,x")
