"""The registry of architectures. To add one, write its builder and put it into `ARCHITECTURES`.

Any other timm network is built as `timm:NAME`, from timm's own description of it. Importing timm takes seconds, so it
is only imported for its networks.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from hangtag.domain.errors import RecipeError
from hangtag.networks.convolutional import (
    BASIC_FEATURES,
    DEEP_FEATURES,
    VGG_FEATURES,
    BasicCnn,
    DeepCnn,
    Size,
    Vgg16,
)
from hangtag.networks.depthwise import speed_up_depthwise
from hangtag.networks.multihead import HeadedNetwork, Normalise, Tap
from hangtag.networks.pretrained import TIMM, Weights, load_weights

Triple = tuple[float, float, float]

_UNIT_RANGE: Final = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_SIGNED_RANGE: Final = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_IMAGENET_RANGE: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


_TAPPED_BLOCK: Final = 2
"""The block of EfficientNet-Lite that can be tapped: an eighth of the photo's size, 40 channels in Lite0."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """A feature extractor: photos (N, 3, H, W) to (N, `feature_count`).

    `range` is the mean and deviation per channel of the photos that it expects. `blocks` are the pretrained parts, from
    the photo inwards, which can be frozen. `tap` gives access to its early features, if it has any.
    """

    module: nn.Module
    feature_count: int
    range: tuple[Triple, Triple]
    blocks: Sequence[nn.Module] = ()
    tap: Tap | None = None


def _build_efficientnet_lite(architecture: str, _: Size) -> Backbone:
    from timm import create_model  # noqa: PLC0415 - timm takes seconds to import

    module: Any = create_model(f"tf_{architecture}", num_classes=0)
    speed_up_depthwise(module)
    stem, head = nn.Sequential(module.conv_stem, module.bn1), nn.Sequential(module.conv_head, module.bn2)
    tap = Tap(_run_efficientnet_lite, module.feature_info[_TAPPED_BLOCK]["num_chs"])
    return Backbone(module, module.num_features, _SIGNED_RANGE, (stem, *module.blocks, head), tap)


def _run_efficientnet_lite(module: Any, photos: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - timm has no types
    """Return the features (N, F) and the feature map after an early block."""
    early = module.blocks[: _TAPPED_BLOCK + 1](module.bn1(module.conv_stem(photos)))
    late = module.bn2(module.conv_head(module.blocks[_TAPPED_BLOCK + 1 :](early)))
    return module.forward_head(late), early


def _build_basic_cnn(_: str, size: Size) -> Backbone:
    return Backbone(BasicCnn(size), BASIC_FEATURES, _UNIT_RANGE)


def _build_deep_cnn(_: str, size: Size) -> Backbone:
    return Backbone(DeepCnn(size), DEEP_FEATURES, _UNIT_RANGE)


def _build_vgg16(_architecture: str, _size: Size) -> Backbone:
    module = Vgg16()
    return Backbone(module, VGG_FEATURES, _IMAGENET_RANGE, module.blocks)


def _build_timm(architecture: str, size: Size) -> Backbone:
    """Build any timm network. The photos' range and the blocks come from timm's description."""
    import timm  # noqa: PLC0415 - timm takes seconds to import

    name = architecture.removeprefix(TIMM)
    build: Callable[..., Any] = timm.create_model
    known = timm.get_pretrained_cfg(name)
    # A network with position embeddings, such as a vision transformer, is built for photos of one size.
    fixed = {"img_size": size} if known is not None and known.fixed_input_size else {}
    module = build(name, num_classes=0, **fixed)
    speed_up_depthwise(module)
    settings = module.pretrained_cfg
    return Backbone(
        module,
        _count_features(module, name, size),
        (settings["mean"], settings["std"]),
        tuple(_iter_blocks(module)),
    )


@torch.no_grad()
def _count_features(module: nn.Module, name: str, size: Size) -> int:
    """Return the number of features of a network. Raises `RecipeError` if it has none for such photos."""
    try:
        shape = module.eval()(torch.zeros(1, 3, *size)).shape
    except (AssertionError, RuntimeError) as error:
        raise RecipeError(
            f"timm's {name} cannot process photos of {size[0]}x{size[1]} ({str(error).splitlines()[0]})",
            fix="Change preprocessing.height and width.",
        ) from None
    if len(shape) != 2:  # noqa: PLR2004 - one row of features for each photo
        raise RecipeError(
            f"timm's {name} is not a classifier: it returns features of the shape {tuple(shape)}"
        )
    return int(shape[1])


def _iter_blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a network that have weights, from the photo inwards, stage by stage."""
    for child in module.children():
        parts = child.children() if isinstance(child, nn.Sequential | nn.ModuleList) else [child]
        yield from (part for part in parts if any(True for _ in part.parameters()))


ARCHITECTURES: Final[Mapping[str, Callable[[str, Size], Backbone]]] = {
    "basic_cnn": _build_basic_cnn,
    "deep_cnn": _build_deep_cnn,
    "efficientnet_lite0": _build_efficientnet_lite,
    "efficientnet_lite1": _build_efficientnet_lite,
    "efficientnet_lite2": _build_efficientnet_lite,
    "vgg16": _build_vgg16,
}
"""Builders by name. Each is called with the name and the size of the photos."""


def require_architecture(architecture: str) -> None:
    """Raise `RecipeError` for an architecture that is neither in `ARCHITECTURES` nor one of timm's as `timm:NAME`."""
    if architecture in ARCHITECTURES:
        return
    import timm  # noqa: PLC0415 - timm takes seconds to import

    name = architecture.removeprefix(TIMM)
    if name != architecture and timm.is_model(name):
        return
    close = difflib.get_close_matches(name, timm.list_models(), n=3)
    if name == architecture:
        known = f"Choose one of {', '.join(ARCHITECTURES)}, or any network of timm as {TIMM}NAME."
        raise RecipeError(
            f"there is no architecture {architecture!r}", where="network.architecture", fix=known
        )
    raise RecipeError(
        f"timm {timm.__version__} has no network {name!r}",
        where="network.architecture",
        fix=f"Did you mean {' or '.join(TIMM + other for other in close)}?"
        if close
        else "See timm.list_models().",
    )


def build_network(
    architecture: str,
    class_counts: Mapping[str, int],
    size: Size,
    *,
    dropout: float = 0.0,
    weights: Weights | None = None,
) -> tuple[Normalise, HeadedNetwork]:
    """Build a network for photos of `size` (height, width), and its input normalisation.

    `weights` (`read_weights`) are the backbone's initial weights; by default they are random.

    Raises `RecipeError` for an unknown architecture, or weights that do not fit it.
    """
    require_architecture(architecture)
    backbone = ARCHITECTURES.get(architecture, _build_timm)(architecture, size)
    if weights is not None:
        load_weights(backbone.module, weights, architecture)
    network = HeadedNetwork(backbone.module, backbone.feature_count, class_counts, dropout)
    network.blocks, network.early = tuple(backbone.blocks), backbone.tap
    return Normalise(*backbone.range), network
