"""One backbone, one head per column."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hangtag.domain.errors import RecipeError

_TINY: Final = 1e-5  # avoids the infinite slope of the root at zero


@dataclass(frozen=True, slots=True)
class Tap:
    """Access to a backbone's early features, in which colours are not yet mixed into shapes.

    `run` turns a backbone and its photos (N, 3, H, W) into its features (N, F) and an early feature map (N, `channels`,
    H', W').
    """

    run: Callable[[nn.Module, Tensor], tuple[Tensor, Tensor]]
    channels: int


class HeadedNetwork(nn.Module):
    """Maps photos to one row of logits per column.

    `backbone` turns float photos (N, 3, H, W) into features (N, `feature_count`); `class_counts` has the columns, in
    order, with the number of classes of each. `blocks` are the backbone's pretrained parts, from the photo inwards, and
    `early` gives access to its early features, if it has any.
    """

    blocks: Sequence[nn.Module] = ()
    early: Tap | None = None
    _tapped: Sequence[str] = ()
    _frozen: Sequence[nn.Module] = ()

    def __init__(
        self, backbone: nn.Module, feature_count: int, class_counts: Mapping[str, int], dropout: float
    ) -> None:
        super().__init__()
        self.feature_count = feature_count
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {column: nn.Linear(feature_count, count) for column, count in class_counts.items()}
        )

    def tap(self, columns: Sequence[str]) -> None:
        """Let the heads of `columns` also see the mean and the deviation of each channel of the early feature map.

        Raises `RecipeError` for a backbone without early features, or a column without a head.
        """
        if columns and (self.early is None or not set(columns) <= set(self.heads)):
            raise RecipeError(f"{', '.join(columns)} cannot use early features of this network")
        self._tapped = tuple(columns)
        for column in columns:
            head = self.heads[column]
            assert isinstance(head, nn.Linear) and self.early is not None  # noqa: S101, PT018 - as they are made above
            self.heads[column] = nn.Linear(head.in_features + 2 * self.early.channels, head.out_features)

    def forward(self, photos: Tensor) -> dict[str, Tensor]:
        """Return logits (N, classes) by column, for normalised float photos (N, 3, H, W)."""
        return self.embed(photos)[1]

    def embed(self, photos: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the backbone's features (N, F), and the logits, for normalised float photos (N, 3, H, W)."""
        if self.early is None or not self._tapped:
            embedding = self.backbone(photos)
            features = self.dropout(embedding)
            return embedding, {column: head(features) for column, head in self.heads.items()}
        embedding, early = self.early.run(self.backbone, photos)
        features = self.dropout(embedding)
        mean = early.mean(dim=(2, 3))
        deviation = (early - mean[:, :, None, None]).square().mean(dim=(2, 3)).add(_TINY).sqrt()
        more = torch.cat([features, mean, deviation], dim=1)
        return embedding, {
            column: head(more if column in self._tapped else features) for column, head in self.heads.items()
        }

    def freeze(self, *, all_but_last: int) -> None:
        """Freeze all but this many of the last pretrained blocks. Layers that are not pretrained always learn."""
        standing = max(0, len(self.blocks) - all_but_last)
        self._frozen = tuple(self.blocks[:standing])
        for position, block in enumerate(self.blocks):
            block.requires_grad_(position >= standing)

    def learning_norms(self) -> list[_BatchNorm]:
        """Return the batch norms outside frozen blocks: those whose statistics may change."""
        kept = {layer for block in self._frozen for layer in block.modules()}
        return [layer for layer in self.modules() if isinstance(layer, _BatchNorm) and layer not in kept]

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Set training mode. Frozen blocks keep their batch statistics."""
        super().train(mode)
        for block in self._frozen:
            block.eval()
        return self


class Normalise(nn.Module):
    """Scales bytes to the range that the backbone was pretrained on: `(pixel / 255 - mean) / deviation` per channel."""

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
    """The network that is exported: raw pixels in, logits out, including the normalisation.

    With `embeds`, the backbone's features follow the logits.
    """

    def __init__(self, normalise: Normalise, network: HeadedNetwork, *, embeds: bool = False) -> None:
        super().__init__()
        self.embeds = embeds
        self.normalise = normalise
        self.network = network

    def forward(self, photos: Tensor) -> tuple[Tensor, ...]:
        """Return logits (N, classes) per column, in order, for uint8 photos (N, H, W, 3)."""
        embedding, logits = self.network.embed(self.normalise(photos.permute(0, 3, 1, 2).float()))
        return (*logits.values(), *([embedding] if self.embeds else []))
