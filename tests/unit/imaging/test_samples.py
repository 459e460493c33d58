import hashlib
import itertools

import numpy as np
import pytest

from hangtag.imaging.decode import decode_photo
from hangtag.imaging.samples import SAMPLE_NAMES, load_sample_photos, write_sample_photos

PIXELS_SHA256 = "5a78c70ce992328f1de567f746112d9861ce34968f9a67e73cda5ec5b5f5d879"
"""Bundles carry their answers on these photos, so no pixel may change."""


@pytest.fixture(scope="module")
def photos():
    return load_sample_photos()


def test_every_sample_is_a_product_in_the_middle_of_white(photos):
    assert tuple(photos) == SAMPLE_NAMES
    for name, image in photos.items():
        assert (image.mode, image.size) == ("RGB", (240, 320)), name
        pixels = np.asarray(image)
        corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert corners.min() == 255, name
        drawn = (pixels.min(axis=2) < 200).mean()
        assert 0.05 < drawn < 0.6, name


def test_the_pixels_stay_the_same(photos):
    assert hashlib.sha256(b"".join(image.tobytes() for image in photos.values())).hexdigest() == PIXELS_SHA256


def test_no_two_samples_look_alike(photos):
    for first, second in itertools.combinations(photos.values(), 2):
        assert np.abs(np.asarray(first, int) - np.asarray(second, int)).mean() > 5


def test_written_files_hold_the_same_pixels(photos, tmp_path):
    paths = write_sample_photos(tmp_path / "new" / "folder")
    assert [path.stem for path in paths] == list(photos)
    for path in paths:
        assert decode_photo(path.read_bytes()).tobytes() == photos[path.stem].tobytes()
