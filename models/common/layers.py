"""Layers that answer as PyTorch's do, where those are slow or arrange their numbers the other way round."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

FEW = 8  # channels, below which oneDNN's transposed convolution takes as long as for sixteen


class PiecewiseLinear(nn.Module):
    """A leaky ReLU for losses that hold a gradient of the net: a product with slopes that are constants to autograd.

    PyTorch's own answers its zero second derivative with tensors of zeros, which such a loss then carries back through
    the whole net; here the path ends. Taken once, the gradient is dearer than PyTorch's.
    """

    def __init__(self, slope: float = 0.0) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return x * x.detach().sign().clamp(min=self.slope)


class ToPixels(nn.Module):
    """(B, H * W * C) -> (B, C, H, W) without moving a number: in memory the channels stay last, where CPUs and GPUs
    convolve faster, and where gradients then need no rearranging either."""

    def __init__(self, channels: int, height: int, breadth: int) -> None:
        super().__init__()
        self.size = (height, breadth, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, self.size).permute(0, 3, 1, 2)


class FromPixels(nn.Module):
    """(B, C, H, W) -> (B, H * W * C), the way back."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


class Halve(nn.Conv2d):
    """DCGAN's convolution, 4x4 with stride 2: (B, wide, 2H, 2W) -> (B, narrow, H, W)."""

    bias: Tensor  # it always has one

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__(wide, narrow, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cpu:
            x = channels_last(x)
        if x.requires_grad and (x.shape[1] < FEW or not x.is_cpu):
            return _Halve.apply(*cast(x, self.weight, self.bias))
        return super().forward(x)


class Double(nn.ConvTranspose2d):
    """Its transpose: (B, narrow, H, W) -> (B, wide, 2H, 2W)."""

    bias: Tensor

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__(narrow, wide, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # its one size is not asked for
        return _Double.apply(*cast(x, self.weight, self.bias)) if x.is_cpu else super().forward(x)


class _Halve(torch.autograd.Function):
    """Where a loss holds the gradient, PyTorch's second derivative is a convolution with whole images for kernels, for
    which cuDNN has none but slow ways; here it is that of the transposed convolution, which has fast ones."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(x, weight, bias, stride=2, padding=1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            transposed(grad, weight) if of_x else None,
            conv2d_weight(x, weight.shape, grad, stride=2, padding=1) if of_weight else None,
            grad.sum((0, 2, 3)) if of_bias else None,
        )


class _Double(torch.autograd.Function):
    """Its gradients are those of the convolution that it transposes, which oneDNN is faster at in bf16."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return transposed(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        grad = channels_last(grad)
        return (
            F.conv2d(grad, weight, stride=2, padding=1) if of_x else None,
            conv2d_weight(grad, weight.shape, x, stride=2, padding=1) if of_weight else None,
            grad.sum((0, 2, 3)) if of_bias else None,
        )


def transposed(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(B, narrow, H, W) -> (B, wide, 2H, 2W): to few channels as one matrix product whose 4x4 patches are added up."""
    if weight.shape[1] >= FEW or not x.is_cpu:
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1)
    height, breadth = x.shape[2:]
    patches = x.permute(0, 2, 3, 1).flatten(1, 2) @ weight.flatten(1)  # (B, H * W, wide * 16)
    y = F.fold(patches.transpose(1, 2), (2 * height, 2 * breadth), 4, stride=2, padding=1)
    return y if bias is None else y + bias[:, None, None]


def channels_last(x: Tensor) -> Tensor:
    """The strides that say so. An image of one channel lies both ways; PyTorch takes it for channels first, and gives
    that order to all that it computes from it."""
    return x.squeeze(1).unsqueeze(3).permute(0, 3, 1, 2) if x.shape[1] == 1 else x


def cast(*tensors: Tensor) -> list[Tensor]:
    """What autocast does for PyTorch's own layers, and not for the functions above."""
    device = tensors[0].device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensors[0].dtype
    return [tensor.to(dtype) for tensor in tensors]
