import io
import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hangtag.imaging import fingerprint as module
from hangtag.imaging.fingerprint import MAX_BITS, Fingerprint, fingerprint_photo, near_duplicate_groups

SHIRT = [(5, 20), (55, 20), (55, 35), (44, 35), (44, 70), (16, 70), (16, 35), (5, 35)]


def draw(number, colour=(40, 60, 90)):
    """Draw a shirt with a print of its own on white; the same number gives the same photo."""
    dice = random.Random(number)
    photo = Image.new("RGB", (60, 80), "white")
    pen = ImageDraw.Draw(photo)
    pen.polygon(SHIRT, fill=colour)
    for _ in range(5):
        left, top = dice.randrange(16, 36), dice.randrange(22, 60)
        shade = (dice.randrange(256),) * 3  # without gaudy edges, which JPEG blurs as in no photo
        pen.rectangle((left, top, left + dice.randrange(5, 10), top + dice.randrange(5, 10)), fill=shade)
    return photo


def as_jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def groups_of(*images):
    return near_duplicate_groups([fingerprint_photo(image) for image in images])


CHANGES = {
    "re-encoded": lambda image: as_jpeg(image, 75),
    "a tenth smaller": lambda image: image.resize((54, 72), Image.Resampling.LANCZOS),
    "twice as large": lambda image: image.resize((120, 160), Image.Resampling.BICUBIC),
    "larger and re-encoded": lambda image: as_jpeg(image.resize((66, 88), Image.Resampling.BICUBIC), 85),
    "darker": lambda image: image.point(lambda value: value * 0.95),
    "brighter, whites clipped": lambda image: image.point(lambda value: min(255, value * 1.04)),
}


def test_the_same_pixels_have_the_same_fingerprint():
    assert fingerprint_photo(draw(1)) == fingerprint_photo(draw(1))
    assert fingerprint_photo(draw(1)) != fingerprint_photo(draw(2))


def test_the_sizes_of_a_fingerprint_do_not_depend_on_the_photo():
    for size in ((8, 8), (60, 80), (400, 100)):
        fingerprint = fingerprint_photo(Image.new("RGB", size, "red"))
        assert [len(fingerprint.pixels_sha256), len(fingerprint.code), len(fingerprint.thumbnail)] == [
            64,
            64,
            900,
        ]


def test_one_changed_pixel_changes_the_digest():
    changed = draw(1)
    changed.putpixel((30, 40), (1, 2, 3))
    assert fingerprint_photo(changed).pixels_sha256 != fingerprint_photo(draw(1)).pixels_sha256


def test_the_same_bytes_in_another_shape_are_another_photo():
    wide, tall = Image.new("RGB", (80, 60)), Image.new("RGB", (60, 80))
    assert wide.tobytes() == tall.tobytes()
    assert fingerprint_photo(wide).pixels_sha256 != fingerprint_photo(tall).pixels_sha256


def test_a_grey_image_has_the_fingerprint_of_its_rgb():
    grey = draw(1).convert("L")
    assert fingerprint_photo(grey) == fingerprint_photo(grey.convert("RGB"))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("number", range(4))
def test_a_changed_copy_is_found_among_others(number, change):
    others = [draw(other) for other in range(100, 110)]
    copy = change(draw(number))
    groups = groups_of(draw(number), *others, copy)
    assert fingerprint_photo(copy).pixels_sha256 != fingerprint_photo(draw(number)).pixels_sha256
    assert groups == [*range(11), 0]


def test_shirts_of_one_shape_with_different_prints_stay_apart():
    assert groups_of(*(draw(number) for number in range(60))) == list(range(60))


def test_one_shirt_in_another_colour_is_another_product():
    plain = [Image.new("RGB", (60, 80), "white") for _ in range(3)]
    for image, colour in zip(plain, ["navy", "darkred", "black"], strict=True):
        ImageDraw.Draw(image).polygon(SHIRT, fill=colour)
    assert groups_of(*plain) == [0, 1, 2]


def test_pale_things_on_white_stay_apart():
    rings = [Image.new("RGB", (60, 80), "white") for _ in range(3)]
    for image, box in zip(rings, [(20, 30, 30, 40), (35, 20, 45, 30), (10, 50, 22, 62)], strict=True):
        ImageDraw.Draw(image).ellipse(box, outline=(235, 235, 240))
    assert groups_of(*rings) == [0, 1, 2]


def test_groups_are_numbered_as_they_appear_and_exact_duplicates_share_one():
    assert groups_of(draw(1), draw(2), draw(1), draw(3), draw(2)) == [0, 1, 0, 2, 1]


def test_neighbours_are_linked_through_others():
    steps = [draw(7).point(lambda value, step=step: value * (1 - 0.05 * step)) for step in range(5)]
    assert groups_of(steps[0], steps[4]) == [0, 1]
    assert groups_of(*steps) == [0] * 5


def test_the_order_of_the_photos_does_not_matter():
    images = [draw(number) for number in range(20)] + [as_jpeg(draw(number), 80) for number in range(20)]
    prints = [fingerprint_photo(image) for image in images]
    order = list(range(40))
    random.Random(3).shuffle(order)
    groups = near_duplicate_groups([prints[position] for position in order])
    together = {frozenset(p for p, g in zip(order, groups, strict=True) if g == group) for group in groups}
    assert together == {frozenset({number, number + 20}) for number in range(20)}


def test_small_blocks_find_the_same(monkeypatch):
    images = [draw(number % 30) if number % 2 else as_jpeg(draw(number % 30), 80) for number in range(90)]
    prints = [fingerprint_photo(image) for image in images]
    expected = near_duplicate_groups(prints)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 7)
    monkeypatch.setattr(module, "_SIEVED_AT_ONCE", 11)
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 2)
    assert near_duplicate_groups(prints) == expected


def test_exactly_the_codes_within_the_limit_are_compared():
    dice = np.random.default_rng(5)
    codes = dice.integers(0, 256, (40, 64), np.uint8)
    flips = np.stack([np.packbits(dice.permutation(512) < count) for count in range(40)])
    levels = dice.integers(100, 120, 80).tolist()
    prints = [
        Fingerprint(str(number), code.tobytes(), bytes([levels[number]] * 900))
        for number, code in enumerate(np.concatenate([codes, codes ^ flips]))
    ]
    groups = near_duplicate_groups(prints)
    assert [groups[row] == groups[row + 40] for row in range(40)] == [row <= MAX_BITS for row in range(40)]
    assert len(set(groups)) == 80 - (MAX_BITS + 1)


def test_few_photos_need_no_pairs():
    assert near_duplicate_groups([]) == []
    assert groups_of(draw(1)) == [0]
    assert near_duplicate_groups([Fingerprint("a", bytes(64), bytes(900))] * 3) == [0, 0, 0]


def test_blank_photos_differ_by_their_brightness():
    blanks = [Image.new("RGB", (60, 80), (level,) * 3) for level in (255, 254, 200, 0)]
    assert groups_of(*blanks) == [0, 0, 1, 2]
