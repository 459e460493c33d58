"""Augmentation: random changes to training photos.

One resampling applies flips, rotation, shear, zoom and shift at once, to a whole batch. Light is varied by one factor
for all channels and tints are slight, so that the colour still matches its label.

A product on a plain background can also be moved to another one. All photos of a shop may have the same white
background, and a network that never sees another one relies on it.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from hangtag.training.recipe_sections import AugmentationRecipe


def augment(photos: Tensor, recipe: AugmentationRecipe, generator: torch.Generator) -> Tensor:
    """Return augmented photos: float (N, 3, H, W), values 0 to 255. Edges are extended outwards."""
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
    """Return (N, 2, 3) maps from output to input coordinates, both -1 to 1 per side; `aspect` is height / width."""
    angle = math.radians(recipe.rotation_degrees) * _uniform(count, -1, 1, generator)
    zoom = torch.exp(_uniform(count, math.log(recipe.zoom_out), math.log(recipe.zoom_in), generator))
    flip = _signs(count, recipe.flip_probability, generator)
    cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    shift = 2 * recipe.shift_share
    offsets = [_uniform(count, -shift, shift, generator) for _ in range(2)]
    shear = _uniform(count, -recipe.shear_share, recipe.shear_share, generator)
    upright = _signs(count, recipe.vertical_flip_probability, generator)
    # Coordinates run from -1 to 1 on both sides, so rotating a non-square photo needs a correction.
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
    """Remove detail from some photos by reducing and enlarging them, and add noise of random strength to others."""
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


_TOLERANCE: Final = 16
"""How many levels a background pixel may differ from the border's colour. JPEG noise is below this."""

_PLAIN: Final = (0.15, 0.95)
"""The range of the background's share of a photo. Outside it, the background cannot be recognised."""

_LIGHT_SHARE: Final = 0.5
"""The share of new backgrounds that are light, nearly grey studio paper. The others have any colour."""


def replace_backgrounds(photos: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Return photos, float (N, 3, H, W) from 0 to 255, some of them on another background.

    Photos without a plain background stay unchanged. Shadows are kept: the new background is multiplied by the shading
    of the old one.
    """
    chosen = torch.rand(len(photos), generator=generator) < probability
    backgrounds = _draw_backgrounds(int(chosen.sum()), (photos.shape[2], photos.shape[3]), generator)
    changed = photos.clone()
    for index, background in zip(torch.nonzero(chosen)[:, 0].tolist(), backgrounds, strict=True):
        photo = photos[index]
        mask, colour = find_background(photo.permute(1, 2, 0).numpy())
        if not _PLAIN[0] < mask.mean() < _PLAIN[1]:
            continue
        weight = torch.from_numpy(mask)
        shadow = (photo / torch.from_numpy(colour).clamp_(min=1).view(3, 1, 1)).clamp_(0, 1.1)
        changed[index] = (photo * (1 - weight) + background * shadow * weight).clamp_(0, 255)
    return changed


def find_background(
    photo: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return how much of each pixel is background, (H, W) from 0 to 1, and the background's colour, (3,).

    The background is the region connected with the border that has nearly the border's median colour.
    """
    edges = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]])
    colour = np.median(edges, axis=0).astype(np.float32)
    alike = np.abs(photo - colour).max(axis=2) <= _TOLERANCE
    areas, count = ndimage.label(alike)
    outer = np.zeros(count + 1, dtype=bool)
    outer[np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]])] = True
    outer[0] = False
    # Grow it by a pixel, since the product's edge is mixed with the old colour, and soften it.
    wider = ndimage.binary_dilation(outer[areas])
    return ndimage.uniform_filter(wider.astype(np.float32), 3), colour


def _draw_backgrounds(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return plain, uneven and grained backgrounds: float (count, 3, H, W) from 0 to 255."""
    light = torch.rand(count, 1, 1, 1, generator=generator) < _LIGHT_SHARE
    grey = 170 + 85 * torch.rand(count, 1, 1, 1, generator=generator)
    cast = 10 * torch.randn(count, 3, 1, 1, generator=generator)
    any_colour = 255 * torch.rand(count, 3, 1, 1, generator=generator)
    colour = torch.where(light, grey + cast, any_colour)
    unevenness = 40 * torch.rand(count, 1, 1, 1, generator=generator) ** 2
    coarse = torch.randn(count, 3, 5, 4, generator=generator)
    clouds = functional.interpolate(coarse, size, mode="bilinear", align_corners=True)
    grain = 12 * torch.rand(count, 1, 1, 1, generator=generator) ** 3
    noise = torch.randn(count, 1, *size, generator=generator)
    return (colour + unevenness * clouds + grain * noise).clamp_(0, 255)
