"""Depthwise convolutions whose backward pass is fast on a CPU.

oneDNN has fast bfloat16 kernels for a depthwise convolution's forward pass at any size, and for its weight gradient at
3x3. Its other gradients fall back to slow reference kernels, for strides above 1 and for 5x5 weights: they took 78 % of
a training step of EfficientNet-Lite0. So both gradients are composed of fast operations: the input gradient from
forward passes, one for each phase of the stride, and the weight gradient from those of 3x3 parts. All arithmetic is
bfloat16. This more than doubles the images per second of a training step (`bench/training_step.py`).
"""

from typing import Any, Final, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_FAST: Final = 3
"""The weight size with a fast gradient."""


class _FastBackward(torch.autograd.Function):
    """A depthwise convolution of unpadded photos (N, C, H, W) with a weight (C, 1, K, K)."""

    @staticmethod
    def forward(ctx: Any, photos: Tensor, weight: Tensor, stride: int) -> Tensor:  # noqa: ANN401 - torch's context has no type
        ctx.save_for_backward(photos, weight)
        ctx.stride = stride
        return functional.conv2d(photos, weight.to(photos.dtype), None, stride, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401 - as above
        (gradient,) = gradients
        photos, weight = ctx.saved_tensors
        to_photos = gradient_to_photos(gradient, photos, weight.to(photos.dtype), ctx.stride)
        to_weight = gradient_to_weight(gradient, photos, weight.shape[-1], ctx.stride)
        return to_photos, to_weight.to(weight.dtype), None


def gradient_to_photos(gradient: Tensor, photos: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Return the gradient of the photos (N, C, H, W), from that of the output and the weight (C, 1, K, K).

    Pixels whose row and column have the same remainder modulo the stride, a phase, see only some rows and columns of
    the weight. Their gradient is an ordinary convolution of the output's gradient with that part, flipped.
    """
    turned, kernel = weight.flip(2, 3), weight.shape[-1]
    if stride == 1:
        return functional.conv2d(gradient, turned, None, 1, kernel - 1, groups=len(weight))
    used = [(side - 1) * stride + kernel for side in gradient.shape[2:]]
    result = torch.empty_like(photos) if used == list(photos.shape[2:]) else torch.zeros_like(photos)
    for down in range(stride):
        for across in range(stride):
            part = turned[
                :, :, (kernel - 1 - down) % stride :: stride, (kernel - 1 - across) % stride :: stride
            ]
            padding = (part.shape[2] - 1, part.shape[3] - 1)
            phase = functional.conv2d(gradient, part.contiguous(), None, 1, padding, groups=len(weight))
            result[:, :, down::stride, across::stride][:, :, : phase.shape[2], : phase.shape[3]] = phase
    return result


def gradient_to_weight(gradient: Tensor, photos: Tensor, kernel: int, stride: int) -> Tensor:
    """Return the gradient of the weight (C, 1, K, K), composed of 3x3 parts, which overlap where needed."""
    channels, height, width = gradient.shape[1:]
    result = photos.new_empty(channels, 1, kernel, kernel)
    side = min(kernel, _FAST)
    example = photos.new_empty(channels, 1, side, side)
    rows, columns = (height - 1) * stride + side, (width - 1) * stride + side
    starts = sorted({*range(0, kernel - side, side - 1), kernel - side})
    for top in starts:
        for left in starts:
            seen = photos[:, :, top : top + rows, left : left + columns]
            seen = seen.contiguous(memory_format=torch.channels_last)
            _, found, _ = torch.ops.aten.convolution_backward(
                gradient,
                seen,
                example,
                [0],
                [stride] * 2,
                [0, 0],
                [1, 1],
                False,
                [0, 0],
                channels,
                [False, True, False],
            )
            result[:, :, top : top + side, left : left + side] = found
    return result


class DepthwiseConv2d(nn.Conv2d):
    """A bias-free, square depthwise convolution, equal to `nn.Conv2d` except for how it computes its gradients."""

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
        down, across = cast("tuple[int, int]", self.padding)
        if photos.dtype == torch.bfloat16 and photos.device.type == "cpu" and torch.is_grad_enabled():
            padded = functional.pad(photos, [across, across, down, down]) if down or across else photos
            return cast("Tensor", _FastBackward.apply(padded, self.weight, self.stride[0]))
        return functional.conv2d(photos, self.weight, None, self.stride, (down, across), 1, self.groups)

    def _same_padding(self, height: int, width: int) -> list[int]:
        """Return the padding (left, right, top, bottom) for an output of ceil(size / stride) pixels a side."""
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
    if type(layer) is not nn.Conv2d and type(layer).__name__ != "Conv2dSame":
        return False  # another kind of layer, which may do more than convolve
    depthwise = layer.groups == layer.in_channels == layer.out_channels > 1 and layer.bias is None
    square = len(set(layer.kernel_size)) == len(set(layer.stride)) == 1 and not isinstance(layer.padding, str)
    square &= layer.stride[0] <= layer.kernel_size[0]
    undilated = set(layer.dilation) == {1}
    return depthwise and square and undilated and (max(layer.kernel_size) > _FAST or max(layer.stride) > 1)
