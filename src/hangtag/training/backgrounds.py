"""Another background: a product that was photographed on plain paper is shown on other paper, a wall, a cloth.

One shop's white paper is all that its photos ever stand on, and a network that never saw anything else learns it.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

_TOLERANCE: Final = 16
"""How many levels a channel may be off the border's colour and still be background: JPEG's own noise is below."""

_PLAIN: Final = (0.15, 0.95)
"""The share of a photo that is background, where it can be told apart at all."""

_LIGHT_SHARE: Final = 0.5
"""How many of the new backgrounds are the light, nearly grey paper of a studio; the others have any colour."""


def replace_backgrounds(photos: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Return photos, float (N, 3, H, W) from 0 to 255, some of which stand on another background.

    A photo without a plain background stays as it is. Shadows are kept: the new background is multiplied with what
    the old one had of them.
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

    Background is what has nearly the border's median colour and is connected with the border.
    """
    edges = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]])
    colour = np.median(edges, axis=0).astype(np.float32)
    alike = np.abs(photo - colour).max(axis=2) <= _TOLERANCE
    areas, count = ndimage.label(alike)
    outer = np.zeros(count + 1, dtype=bool)
    outer[np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]])] = True
    outer[0] = False
    # A pixel wider, since the product's edge is mixed with the old colour; and soft, as edges are.
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
