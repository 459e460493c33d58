"""One backbone, one head per column."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn


class HeadedNetwork(nn.Module):
    """Photos to one row of logits per column.

    `backbone` turns float photos (N, 3, H, W) into features (N, `feature_count`); `class_counts` names the columns, in
    order, with the number of classes of each. `blocks` are the backbone's pretrained parts, from the photo inwards.
    """

    blocks: Sequence[nn.Module] = ()
    _frozen: Sequence[nn.Module] = ()

    def __init__(
        self, backbone: nn.Module, feature_count: int, class_counts: Mapping[str, int], dropout: float
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {column: nn.Linear(feature_count, count) for column, count in class_counts.items()}
        )

    def forward(self, photos: Tensor) -> dict[str, Tensor]:
        """Return logits (N, classes) by column, for normalised float photos (N, 3, H, W)."""
        features = self.dropout(self.backbone(photos))
        return {column: head(features) for column, head in self.heads.items()}

    def freeze(self, *, all_but_last: int) -> None:
        """Let only so many of the last pretrained blocks learn, beside all layers that are not pretrained."""
        standing = max(0, len(self.blocks) - all_but_last)
        self._frozen = tuple(self.blocks[:standing])
        for position, block in enumerate(self.blocks):
            block.requires_grad_(position >= standing)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Enter or leave training; a frozen block keeps its batch statistics, too."""
        super().train(mode)
        for block in self._frozen:
            block.eval()
        return self


class Normalise(nn.Module):
    """Bytes to the range that the backbone was pretrained on: `(pixel / 255 - mean) / deviation` per channel."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", 255 * torch.tensor(deviation).view(1, 3, 1, 1))

    def forward(self, photos: Tensor) -> Tensor:
        """Normalise photos (N, 3, H, W) with values 0 to 255."""
        return (photos - self.mean) / self.deviation


class ServedNetwork(nn.Module):
    """What is exported: raw pixels in, logits out, so that nobody has to know the normalisation."""

    def __init__(self, normalise: Normalise, network: HeadedNetwork) -> None:
        super().__init__()
        self.normalise = normalise
        self.network = network

    def forward(self, photos: Tensor) -> tuple[Tensor, ...]:
        """Return logits (N, classes) per column, in order, for uint8 photos (N, H, W, 3)."""
        return tuple(self.network(self.normalise(photos.permute(0, 3, 1, 2).float())).values())
