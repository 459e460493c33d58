"""Augmentation: each time a training photo is seen, it is seen a little differently.

One resampling does flips, rotation, shear, zoom and shift at once, for a whole batch. Light is varied by one factor for
all channels, and a tint is slight, so that a colour stays the colour that its label says.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from hangtag.training.backgrounds import replace_backgrounds
from hangtag.training.recipe_sections import AugmentationRecipe


def augment(photos: Tensor, recipe: AugmentationRecipe, generator: torch.Generator) -> Tensor:
    """Return varied copies of photos: float (N, 3, H, W), values 0 to 255. Edges are continued outwards."""
    height, width = photos.shape[-2:]
    plain = _uniform(len(photos), 0, 1, generator) < recipe.plain_share
    rest = torch.nonzero(~plain)[:, 0]
    if recipe.background_probability:
        other = replace_backgrounds(photos[rest], recipe.background_probability, generator)
        photos = photos.index_copy(0, rest, other)
    transforms = _random_transforms(len(photos), height / width, recipe, generator)
    grid = functional.affine_grid(transforms, list(photos.shape), align_corners=False)
    moved = functional.grid_sample(photos, grid, mode="bilinear", padding_mode="border", align_corners=False)
    lit = _change_light(moved[rest], recipe, generator)
    return moved.index_copy_(0, rest, _change_sharpness(lit, recipe, generator))


def _random_transforms(
    count: int, aspect: float, recipe: AugmentationRecipe, generator: torch.Generator
) -> Tensor:
    """Return (N, 2, 3) maps from output to input coordinates, both -1 to 1 a side; `aspect` is height / width."""
    angle = math.radians(recipe.rotation_degrees) * _uniform(count, -1, 1, generator)
    zoom = torch.exp(_uniform(count, math.log(recipe.zoom_out), math.log(recipe.zoom_in), generator))
    flip = _signs(count, recipe.flip_probability, generator)
    cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    shift = 2 * recipe.shift_share
    offsets = [_uniform(count, -shift, shift, generator) for _ in range(2)]
    shear = _uniform(count, -recipe.shear_share, recipe.shear_share, generator)
    upright = _signs(count, recipe.vertical_flip_probability, generator)
    # Coordinates run from -1 to 1 on both sides, so that a rotation of a non-square photo must be undistorted.
    across = (flip * cosine, upright * (shear * flip * cosine - sine * aspect))
    down = (flip * sine / aspect, upright * (shear * flip * sine / aspect + cosine))
    return torch.stack(
        [torch.stack([*row, offset], dim=1) for row, offset in zip((across, down), offsets, strict=True)],
        dim=1,
    )


def _change_light(photos: Tensor, recipe: AugmentationRecipe, generator: torch.Generator) -> Tensor:
    count = len(photos)
    brightness = _uniform(count, 1 - recipe.brightness, 1 + recipe.brightness, generator).view(-1, 1, 1, 1)
    contrast = _uniform(count, 1 - recipe.contrast, 1 + recipe.contrast, generator).view(-1, 1, 1, 1)
    mean = photos.mean(dim=(1, 2, 3), keepdim=True)
    varied = ((photos - mean) * contrast + mean) * brightness
    if recipe.tint:
        varied = varied * _uniform(3 * count, 1 - recipe.tint, 1 + recipe.tint, generator).view(-1, 3, 1, 1)
    return varied.clamp_(0, 255)


def _change_sharpness(photos: Tensor, recipe: AugmentationRecipe, generator: torch.Generator) -> Tensor:
    """Take detail from some photos, by reducing and enlarging them, and lay noise of a random strength over others."""
    if recipe.detail_probability:
        blurred = torch.nonzero(_uniform(len(photos), 0, 1, generator) < recipe.detail_probability)[:, 0]
        scale = _uniform(1, recipe.smallest_detail, 1, generator).item()
        size = [max(1, round(side * scale)) for side in photos.shape[-2:]]
        reduced = functional.interpolate(photos[blurred], size, mode="bilinear", antialias=True)
        enlarged = functional.interpolate(reduced, list(photos.shape[-2:]), mode="bilinear")
        photos = photos.index_copy(0, blurred, enlarged)
    if recipe.noise_levels:
        strength = _uniform(len(photos), -recipe.noise_levels, recipe.noise_levels, generator).clamp_(min=0)
        noise = torch.randn(photos.shape, generator=generator)
        photos = (photos + strength.view(-1, 1, 1, 1) * noise).clamp_(0, 255)
    return photos


def _signs(count: int, share_of_minus: float, generator: torch.Generator) -> Tensor:
    return torch.where(_uniform(count, 0, 1, generator) < share_of_minus, -1.0, 1.0)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)
