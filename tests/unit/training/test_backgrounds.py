import numpy as np
import pytest
import torch

from hangtag.training.augmentation import find_background, replace_backgrounds

PAPER = (250.0, 248.0, 245.0)


@pytest.fixture
def photo():
    """A dark ring on paper: the paper inside the ring is not connected with the border."""
    down, across = np.mgrid[0:40, 0:30]
    distance = np.hypot(down - 20, across - 15)
    pixels = np.full((40, 30, 3), PAPER, np.float32)
    pixels[(distance < 12) & (distance > 7)] = (30, 40, 90)
    return pixels


def test_background_is_what_is_connected_with_the_border(photo):
    mask, colour = find_background(photo)
    assert colour.tolist() == list(PAPER)
    assert mask[0, 0] == 1
    assert mask[20, 15] == 0  # paper, seen through the ring
    assert mask[20, 6] == 0  # the ring itself
    assert 0 < mask[20, 4] < mask[20, 2] == 1  # its edge is soft


def replace(photo, probability, seed=1):
    photos = torch.from_numpy(photo).permute(2, 0, 1).expand(8, -1, -1, -1)
    return replace_backgrounds(photos, probability, torch.Generator().manual_seed(seed))


def test_the_product_stays_and_its_background_changes(photo):
    changed = replace(photo, 1.0)
    assert torch.allclose(changed[:, :, 20, 6], torch.tensor([30.0, 40.0, 90.0]).expand(8, 3))
    assert len({tuple(corner) for corner in changed[:, :, 0, 0].round().tolist()}) == 8
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_without_luck_nothing_changes_and_the_seed_decides(photo):
    assert torch.equal(replace(photo, 0.0)[0], torch.from_numpy(photo).permute(2, 0, 1))
    assert torch.equal(replace(photo, 0.5), replace(photo, 0.5))
    assert not torch.equal(replace(photo, 0.5), replace(photo, 0.5, seed=2))


def test_a_shadow_stays_a_shadow(photo):
    photo[35, :] -= 10
    changed = replace(photo, 1.0)
    assert bool(changed[:, :, 35, 2:28].mean() < changed[:, :, 33, 2:28].mean())


def test_a_photo_without_plain_background_stays_as_it_is():
    busy = np.random.default_rng(0).uniform(0, 255, (40, 30, 3)).astype(np.float32)
    assert torch.equal(replace(busy, 1.0)[0], torch.from_numpy(busy).permute(2, 0, 1))
