"""VGG16 (Simonyan & Zisserman 2014) without its own classifier, under the names that torchvision gives its tensors."""

from collections.abc import Iterator
from typing import Final

from torch import Tensor, nn

FEATURES: Final = 128

_BLOCKS: Final = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""The channels of the 3x3 convolutions of each block; a max-pool ends it."""


class Vgg16(nn.Module):
    """The thirteen convolutions of VGG16, a global average pool, and one dense layer that is never pretrained.

    Takes (N, 3, H, W) of 32 pixels a side or more, gives (N, 128).
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_layers())
        self.dense = nn.Linear(_BLOCKS[-1][-1], FEATURES)
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
        for channels in _BLOCKS:
            size = 2 * len(channels) + 1
            blocks.append(nn.Sequential(*layers[:size]))
            layers = layers[size:]
        return tuple(blocks)


def _layers() -> Iterator[nn.Module]:
    entering = 3
    for block in _BLOCKS:
        for leaving in block:
            yield from (nn.Conv2d(entering, leaving, 3, padding=1), nn.ReLU(inplace=True))
            entering = leaving
        yield nn.MaxPool2d(2)
