"""The networks of the original project: two small ones from scratch, and VGG16.

The dense layers of the small ones take the flattened features, so such a network accepts photos of only one size. They
have no pretrained weights.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from torch import Tensor, nn

from hangtag.domain.errors import RecipeError

BASIC_FEATURES: Final = 128
DEEP_FEATURES: Final = 512
VGG_FEATURES: Final = 128

_VGG_BLOCKS: Final = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""The channels of the 3x3 convolutions of each block, which ends with a max-pool."""

Size = tuple[int, int]
"""Height and width of the photos, in pixels."""


class BasicCnn(nn.Module):
    """Three convolutions of 32, 64 and 128 channels, a max-pool after each, and one dense layer of 128.

    Takes photos (N, 3, height, width) of `size`, returns (N, 128). Raises `RecipeError` for photos that are too small.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        height, width = _size_after(3, size)
        self.convolutions = nn.Sequential(*_plain_blocks((3, 32, 64, 128)))
        self.dense = nn.Linear(128 * height * width, BASIC_FEATURES)

    def forward(self, photos: Tensor) -> Tensor:
        """Return the features of normalised photos."""
        features: Tensor = self.dense(self.convolutions(photos).flatten(1)).relu()
        return features


class DeepCnn(nn.Module):
    """Four convolutions of 32 to 256 channels with batch norm, max-pool and dropout, and one dense layer of 512.

    A 2x2 average pool precedes the flatten, unlike in the original project. For photos of 128x128 it reduces the dense
    layer from 4.7 to 1.2 million weights, which keeps the bundle small. Takes photos (N, 3, height, width) of `size`,
    returns (N, 512). Raises `RecipeError` for photos that are too small.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        height, width = _size_after(4, size, pooled=2)
        self.convolutions = nn.Sequential(*_normalised_blocks((3, 32, 64, 128, 256), dropout=0.25))
        self.pool = nn.AvgPool2d(2)
        self.dense = nn.Linear(256 * height * width, DEEP_FEATURES)
        self.norm = nn.BatchNorm1d(DEEP_FEATURES)

    def forward(self, photos: Tensor) -> Tensor:
        """Return the features of normalised photos."""
        features: Tensor = self.norm(self.dense(self.pool(self.convolutions(photos)).flatten(1)).relu())
        return features


def _plain_blocks(channels: tuple[int, ...]) -> Iterator[nn.Module]:
    for entering, leaving in pairwise(channels):
        yield from (nn.Conv2d(entering, leaving, 3), nn.ReLU(), nn.MaxPool2d(2))


def _normalised_blocks(channels: tuple[int, ...], dropout: float) -> Iterator[nn.Module]:
    for entering, leaving in pairwise(channels):
        yield from (nn.Conv2d(entering, leaving, 3), nn.ReLU(), nn.BatchNorm2d(leaving), nn.MaxPool2d(2))
        yield nn.Dropout(dropout)


def _size_after(blocks: int, size: Size, pooled: int = 1) -> Size:
    """Return the feature size after this many unpadded 3x3 convolutions, each halved, and a pool at the end."""
    height, width = size
    for _ in range(blocks):
        height, width = (height - 2) // 2, (width - 2) // 2
    height, width = height // pooled, width // pooled
    if min(height, width) < 1:
        raise RecipeError(
            f"photos of {size[0]}x{size[1]} are too small for {blocks} convolutions",
            fix="Raise preprocessing.height and width.",
        )
    return height, width


class Vgg16(nn.Module):
    """The thirteen convolutions of VGG16, a global average pool, and one dense layer that is never pretrained.

    Takes (N, 3, H, W) of at least 32 pixels a side, returns (N, 128).
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_vgg_layers())
        self.dense = nn.Linear(_VGG_BLOCKS[-1][-1], VGG_FEATURES)
        for layer in self.features:
            if isinstance(
                layer, nn.Conv2d
            ):  # without it, thirteen layers from scratch learn nothing (He et al. 2015)
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # every one of these convolutions has a bias

    def forward(self, photos: Tensor) -> Tensor:
        """Return the features of normalised photos."""
        features: Tensor = self.dense(self.features(photos).mean(dim=(2, 3))).relu()
        return features

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The five blocks of convolutions, from the photo inwards."""
        layers, blocks = list(self.features), []
        for channels in _VGG_BLOCKS:
            size = 2 * len(channels) + 1
            blocks.append(nn.Sequential(*layers[:size]))
            layers = layers[size:]
        return tuple(blocks)


def _vgg_layers() -> Iterator[nn.Module]:
    entering = 3
    for block in _VGG_BLOCKS:
        for leaving in block:
            yield from (nn.Conv2d(entering, leaving, 3, padding=1), nn.ReLU(inplace=True))
            entering = leaving
        yield nn.MaxPool2d(2)
