import pytest
import torch

from hangtag.training.augmentation import augment
from hangtag.training.recipe_sections import AugmentationRecipe

NOTHING = {
    "flip_probability": 0,
    "vertical_flip_probability": 0,
    "rotation_degrees": 0,
    "shear_share": 0,
    "shift_share": 0,
    "zoom_out": 1,
    "zoom_in": 1,
    "brightness": 0,
    "contrast": 0,
}


def varied(photos, **changes):
    recipe = AugmentationRecipe(**(NOTHING | changes))
    return augment(photos, recipe, torch.Generator().manual_seed(3))


@pytest.fixture
def photos():
    return torch.randint(0, 256, (4, 3, 12, 9), generator=torch.Generator().manual_seed(0)).float()


def test_no_augmentation_changes_nothing(photos):
    assert torch.allclose(varied(photos), photos, atol=1e-3)


def test_a_certain_flip_mirrors_every_photo(photos):
    assert torch.allclose(varied(photos, flip_probability=1), photos.flip(-1), atol=1e-3)


def test_a_certain_vertical_flip_turns_every_photo_upside_down(photos):
    assert torch.allclose(varied(photos, vertical_flip_probability=1), photos.flip(-2), atol=1e-3)


def test_a_shear_pushes_top_and_bottom_apart_and_leaves_the_middle():
    photo = torch.zeros(1, 3, 41, 41)
    photo[..., 20] = 255  # an upright line
    sheared = varied(photo, shear_share=0.4)[0, 0]
    columns = sheared.argmax(dim=1)
    assert columns[20] == 20
    assert columns[0] - 20 == 20 - columns[40] != 0
    assert 0 < abs(columns[0] - columns[40]) <= 0.4 * 41


def test_zooming_out_shows_the_photo_smaller_on_its_own_border_colour():
    photo = torch.full((1, 3, 40, 30), 250.0)
    photo[:, :, 10:30, 8:22] = 0
    smaller = varied(photo, zoom_out=0.5)
    assert 0.2 < (smaller < 125).float().mean() / (photo < 125).float().mean() < 1
    assert torch.equal(smaller[0, :, 0, 0], torch.full((3,), 250.0))


def test_rotation_of_a_tall_photo_keeps_its_shapes():
    photo = torch.zeros(1, 3, 80, 60)
    rows, columns = torch.meshgrid(torch.arange(80) - 39.5, torch.arange(60) - 29.5, indexing="ij")
    photo[:, :, (rows**2 + columns**2) < 20**2] = 255
    assert (varied(photo, rotation_degrees=90) - photo).abs().mean() < 3


def test_light_keeps_grey_grey_and_stays_in_range():
    grey = (
        torch.randint(0, 256, (8, 1, 10, 10), generator=torch.Generator().manual_seed(1))
        .float()
        .expand(-1, 3, -1, -1)
    )
    lit = varied(grey, brightness=0.5, contrast=0.5)
    assert torch.allclose(lit[:, 0], lit[:, 1])
    assert torch.allclose(lit[:, 0], lit[:, 2])
    assert lit.min() >= 0
    assert lit.max() <= 255
    assert not torch.allclose(lit, grey, atol=1)


def test_the_generator_alone_decides(photos):
    everything = {
        "rotation_degrees": 20,
        "shift_share": 0.2,
        "zoom_out": 0.7,
        "zoom_in": 1.3,
        "brightness": 0.3,
    }
    assert torch.equal(varied(photos, **everything), varied(photos, **everything))
    assert not torch.allclose(varied(photos, **everything), photos, atol=1)


def test_blur_takes_away_detail_from_some_photos(photos):
    blurred = varied(photos, detail_probability=1)
    assert (blurred.std(dim=(1, 2, 3)) < photos.std(dim=(1, 2, 3))).all()
    assert blurred.mean() == pytest.approx(photos.mean().item(), rel=0.05)


def test_noise_is_laid_over_half_of_the_photos():
    grey = torch.full((64, 3, 12, 9), 128.0)
    noisy = varied(grey, noise_levels=20).std(dim=(1, 2, 3))
    assert 16 < (noisy > 0.1).sum() < 48
    assert noisy.max() < 21


def test_a_tint_moves_each_channel_on_its_own_and_no_further_than_said():
    grey = torch.full((64, 3, 12, 9), 100.0)
    tinted = varied(grey, tint=0.1).mean(dim=(2, 3))
    assert ((tinted > 89.9) & (tinted < 110.1)).all()
    assert (tinted.std(dim=1) > 1).any()


def test_a_background_is_replaced_before_the_photo_is_moved():
    photo = torch.full((6, 3, 40, 30), 250.0)
    photo[:, :, 10:30, 8:22] = 20
    changed = varied(photo, background_probability=1, shift_share=0.1)
    assert (changed[:, :, 0, 0] - changed[:, :, -1, 0]).abs().max() < 130  # one paper from edge to edge
    assert len({tuple(corner) for corner in changed[:, :, 0, 0].round().tolist()}) == 6


def test_a_share_of_the_photos_keeps_its_light():
    grey = torch.full((200, 3, 12, 9), 100.0)
    changed = (varied(grey, brightness=0.3, plain_share=0.6) - 100).abs().amax(dim=(1, 2, 3)) > 0.01
    assert 50 < changed.sum() < 110
