"""LSTM cells that pass over an image, a row or a diagonal at a time.

van den Oord, Kalchbrenner, Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016, arXiv:1601.06759: sections 3.1 (Row
LSTM) and 3.2 (Diagonal BiLSTM), equation 3.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

aten = torch.ops.aten

Path = tuple[int, tuple[int, ...], list[tuple[int, int, int, int]], Tensor]  # see path


@cache
def path(layer: Literal["row", "diagonal"], height: int, breadth: int, device: torch.device | str = "cpu") -> Path:
    """How a line of LSTM cells passes over an image: how many there are, which of the step before's each sees beside
    itself, the steps (they set cells lo to hi from pixels begin to end), and for each direction its order of pixels.
    Kept, so that no step of training copies it to the device."""
    pixels = torch.arange(height * breadth, device=device).view(height, breadth)
    if layer == "row":
        steps = [(row * breadth, (row + 1) * breadth, 0, breadth) for row in range(height)]
        return breadth, (-1, 0, 1), steps, pixels.view(1, -1)
    steps, end = [], 0
    for diagonal in range(height + breadth - 1):
        lo, hi = max(0, diagonal - breadth + 1), min(diagonal + 1, height)
        begin, end = end, end + hi - lo
        steps.append((begin, end, lo, hi))
    row = torch.arange(height, device=device)[:, None]
    column = torch.arange(breadth, device=device)
    order = ((row + column) * height + row).flatten().argsort()  # by diagonal, then by row
    return height, (0, -1), steps, torch.stack([order, pixels.flip(1).flatten()[order]])


def cell(z: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gates (..., 4h) before their nonlinearities, done in place, and c -> new c, tanh c, h: equation 3"""
    signal, share = z.split((c.shape[-1], 3 * c.shape[-1]), -1)
    write, forget, show = share.sigmoid_().chunk(3, -1)
    c = torch.addcmul(c * forget, write, signal.mul_(2).sigmoid_().mul_(2).sub_(1))  # tanh, five times as fast on a CPU
    squashed = (2 * c).sigmoid_().mul_(2).sub_(1)
    return c, squashed, squashed * show


class Recurrence(torch.autograd.Function):
    """gates (D, P, B, 4h) as the input sets them, in the path's order, weight (D, taps * h, 4h), start (2, D, h), the
    first h and c -> h (D, P, B, h). Gradients by hand, since autograd would record fifteen operations a step."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, start: Tensor, way: Path) -> Tensor:
        (cells, taps, steps, _), (ways, pixels, n), half = way, gates.shape[:3], start.shape[2]
        line, carry = (first[:, None, None].repeat(1, cells + 2, n, 1) for first in start)  # one cell at each end
        near, act = gates.new_empty(ways, pixels, n, len(taps), half), torch.empty_like(gates)
        before, after, out = (gates.new_empty(ways, pixels, n, half) for _ in range(3))
        for begin, end, lo, hi in steps:
            here, at = slice(begin, end), slice(lo + 1, hi + 1)
            for i, tap in enumerate(taps):
                near[:, here, :, i] = line[:, lo + 1 + tap : hi + 1 + tap]
            seen, z = near[:, here].flatten(3).flatten(1, 2), act[:, here]
            torch.baddbmm(gates[:, here].flatten(1, 2), seen, weight, out=z.flatten(1, 2))
            before[:, here] = carry[:, at]
            carry[:, at], after[:, here], out[:, here] = cell(z, carry[:, at])
            line[:, at] = out[:, here]
        ctx.save_for_backward(weight, near, before, after, act)
        ctx.way = way
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        weight, near, before, after, act = ctx.saved_tensors
        (cells, taps, steps, _), half = ctx.way, grad.shape[3]
        dz, through_tanh, through_sigmoid = torch.empty_like(act), aten.tanh_backward, aten.sigmoid_backward
        line, carry = grad.new_zeros(2, len(grad), cells + 2, *grad.shape[2:])
        for begin, end, lo, hi in reversed(steps):
            here, at = slice(begin, end), slice(lo + 1, hi + 1)
            signal, write, forget, show = act[:, here].chunk(4, 3)
            dh = grad[:, here] + line[:, at]
            dc = carry[:, at] + through_tanh(dh * show, after[:, here])
            dsignal, dwrite, dforget, dshow = dz[:, here].chunk(4, 3)
            dsignal.copy_(through_tanh(dc * write, signal))
            dwrite.copy_(through_sigmoid(dc * signal, write))
            dforget.copy_(through_sigmoid(dc * before[:, here], forget))
            dshow.copy_(through_sigmoid(dh * after[:, here], show))
            torch.mul(dc, forget, out=carry[:, at])
            line[:, at] = 0
            spread = torch.bmm(dz[:, here].flatten(1, 2), weight.transpose(1, 2)).view(*dh.shape[:3], -1)
            for tap, part in zip(taps, spread.split(half, 3), strict=True):
                line[:, lo + 1 + tap : hi + 1 + tap] += part
        dweight = torch.bmm(near.flatten(3).flatten(1, 2).transpose(1, 2), dz.flatten(1, 2))
        return dz, dweight, torch.stack([line.sum((1, 2)), carry.sum((1, 2))]), None


def recur(x: Tensor, enter: Tensor, bias: Tensor, weight: Tensor, start: Tensor, way: Path) -> Tensor:
    """(B, F, H, W), (D, F, 4h), (D, 1, 4h), ... -> (B, D, h, H, W) along the path"""
    order = way[3]
    pixels = x.flatten(2).permute(2, 0, 1).contiguous()  # (H * W, B, F)
    laid = torch.stack([pixels.index_select(0, along) for along in order]).flatten(1, 2)
    with torch.autocast(x.device.type, enabled=False):
        gates = torch.baddbmm(bias, laid.to(enter.dtype), enter).unflatten(1, (-1, len(x)))  # all pixels at once
        h = Recurrence.apply(gates, weight, start, way)  # (D, H * W, B, h)
    h = torch.stack([h[i].index_select(0, along) for i, along in enumerate(order.argsort(1))])
    return h.permute(2, 0, 3, 1).unflatten(3, x.shape[2:])
