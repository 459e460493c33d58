"""Every architecture by its name. To add one, write its builder and put it into `ARCHITECTURES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import timm
from torch import nn

from hangtag.domain.errors import RecipeError
from hangtag.networks.depthwise import speed_up_depthwise
from hangtag.networks.multihead import HeadedNetwork, Normalise
from hangtag.networks.pretrained import load_imagenet_weights


@dataclass(frozen=True, slots=True)
class Backbone:
    """A feature extractor: photos (N, 3, H, W) to (N, `feature_count`), and the input range it expects."""

    module: nn.Module
    feature_count: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


def _build_efficientnet_lite(architecture: str, *, pretrained: bool) -> Backbone:
    module: Any = timm.create_model(f"tf_{architecture}", num_classes=0)
    if pretrained:
        load_imagenet_weights(module, architecture)
    speed_up_depthwise(module)
    return Backbone(module, module.num_features, mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5))


BackboneBuilder = Callable[..., Backbone]
"""Called with the architecture's name and `pretrained=`."""

ARCHITECTURES: Final[Mapping[str, BackboneBuilder]] = {
    "efficientnet_lite0": _build_efficientnet_lite,
    "efficientnet_lite1": _build_efficientnet_lite,
    "efficientnet_lite2": _build_efficientnet_lite,
}


def build_network(
    architecture: str, class_counts: Mapping[str, int], *, pretrained: bool, dropout: float
) -> tuple[Normalise, HeadedNetwork]:
    """Build a network and the normalisation that belongs in front of it.

    Raises `RecipeError` for an architecture that is not in `ARCHITECTURES`, or whose weights are not installed.
    """
    if architecture not in ARCHITECTURES:
        raise RecipeError(
            f"there is no architecture {architecture!r}", fix=f"Choose one of {', '.join(ARCHITECTURES)}."
        )
    backbone = ARCHITECTURES[architecture](architecture, pretrained=pretrained)
    network = HeadedNetwork(backbone.module, backbone.feature_count, class_counts, dropout)
    return Normalise(backbone.mean, backbone.deviation), network
