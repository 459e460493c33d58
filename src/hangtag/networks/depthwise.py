"""Depthwise convolutions whose backward pass is fast on a CPU.

oneDNN has fast kernels for the forward pass of a depthwise convolution in bfloat16, but its backward pass in bfloat16
falls back to a slow reference for strides above 1 and for 5x5 weights: there it took 78 % of a training step of
EfficientNet-Lite0. In float32 and channels-last the same gradients are 5 to 300 times faster. So these layers go
forward in the precision of their input and backward in float32, which about doubles the images per second of a whole
training step (`bench/training_step.py`).
"""

from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Float32Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, photos: Tensor, weight: Tensor, stride: list[int], padding: list[int]) -> Tensor:  # noqa: ANN401 - torch's context has no type
        ctx.save_for_backward(photos, weight)
        ctx.geometry = (stride, padding)
        return functional.conv2d(photos, weight.to(photos.dtype), None, stride, padding, 1, weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401 - as above
        (gradient,) = gradients
        photos, weight = ctx.saved_tensors
        stride, padding = ctx.geometry
        to_photos, to_weight, _ = torch.ops.aten.convolution_backward(
            gradient.float(),
            photos.float(),
            weight.float(),
            [0],
            stride,
            padding,
            [1, 1],
            False,
            [0, 0],
            weight.shape[0],
            [True, True, False],
        )
        return to_photos.to(photos.dtype), to_weight.to(weight.dtype), None, None


class DepthwiseConv2d(nn.Conv2d):
    """A bias-free depthwise convolution, equal to `nn.Conv2d` except for the precision of its backward pass."""

    same_padding = False

    @classmethod
    def replacing(cls, layer: nn.Conv2d) -> Self:
        """Return the layer's replacement; it shares the layer's weight."""
        same_padding = type(layer).__name__ == "Conv2dSame"  # timm's TensorFlow padding
        new = cls(
            layer.in_channels,
            layer.out_channels,
            cast("tuple[int, int]", layer.kernel_size),
            cast("tuple[int, int]", layer.stride),
            0 if same_padding else cast("tuple[int, int]", layer.padding),
            groups=layer.groups,
            bias=False,
        )
        new.weight = layer.weight
        new.same_padding = same_padding
        return new

    def forward(self, photos: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        if self.same_padding:
            photos = functional.pad(photos, self._same_padding(photos.shape[-2], photos.shape[-1]))
        stride, padding = list(self.stride), list(cast("tuple[int, int]", self.padding))
        if photos.dtype == torch.bfloat16 and torch.is_grad_enabled():
            return cast("Tensor", _Float32Backward.apply(photos, self.weight, stride, padding))
        return functional.conv2d(photos, self.weight, None, stride, padding, 1, self.groups)

    def _same_padding(self, height: int, width: int) -> list[int]:
        """Return (left, right, top, bottom) so that the output has ceil(size / stride) pixels a side."""
        sides: list[int] = []
        for size, kernel, stride in zip(
            (width, height), self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [total // 2, total - total // 2]
        return sides


def speed_up_depthwise(module: nn.Module) -> None:
    """Replace, in place, every depthwise convolution whose bfloat16 backward pass would be slow."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and _is_slow(child):
            setattr(module, name, DepthwiseConv2d.replacing(child))
        else:
            speed_up_depthwise(child)


def _is_slow(layer: nn.Conv2d) -> bool:
    depthwise = layer.groups == layer.in_channels == layer.out_channels > 1 and layer.bias is None
    undilated = set(layer.dilation) == {1}
    return depthwise and undilated and (max(layer.kernel_size) > 3 or max(layer.stride) > 1)  # noqa: PLR2004
