"""Nets of a datum and a time, for models that turn noise into data step by step.

A net answers (B, *shape), (B,) -> (B, *shape), or is told several times, (B, times); and with classes also hears labels
(B,), where the number `classes` stands for no label. At equal width they have about as many parameters as the decoder
in `models.common.nets`. Points get an MLP with residual layers that sees waves of its inputs (Tancik et al., "Fourier
Features Let Networks Learn High Frequency Functions in Low Dimensional Domains", 2020, arXiv:2006.10739), since an MLP
of coordinates is too smooth for sharp modes. Images get the U-Net of Ho, Jain, Abbeel, "Denoising Diffusion
Probabilistic Models", 2020, arXiv:2006.11239, appendix B: two residual blocks a size, `depth - 1` at the smallest.
Departure: no attention; normalisation is over all channels (there in 32 groups), and a 1x1 convolution before doubling
stands in the place of a 3x3 one after it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.common import check
from models.common.protocol import Spec

WAVES = 8


class Waves(nn.Module):
    """Sines and cosines of numbers about as large as 1, of 1/2 to 32 radians a unit: (B, D) -> (B, 2 * WAVES * D)"""

    def __init__(self) -> None:
        super().__init__()
        self.frequency = nn.Buffer(2.0 ** torch.linspace(-1, 5, WAVES), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        angle = (x[:, :, None] * self.frequency).flatten(1)
        return torch.cat([angle.sin(), angle.cos()], 1)


class PointNet(nn.Module):
    """`depth` hidden layers, each but the first added to what it is given."""

    def __init__(self, spec: Spec, *, width: int, depth: int, classes: int = 0, times: int = 1) -> None:
        super().__init__()
        (dims,) = spec.shape
        self.waves = Waves()
        self.first = nn.Linear(dims + 2 * WAVES * (dims + times), width)
        self.label = nn.Embedding(classes + 1, width) if classes else None
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, dims)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        h = self.first(torch.cat([x, self.waves(torch.cat([x, t.view(len(x), -1)], 1))], 1))
        if self.label is not None:
            h = h + self.label(check.told(label))
        h = F.silu(h)
        for layer in self.layers:
            h = h + F.silu(layer(h))
        return cast(Tensor, self.last(h)).to(x.dtype)  # in the dtype it is asked in, as the nets of `nets` are


class Block(nn.Module):
    """Two convolutions, told of time and label between them, added to what they are given: 3x3, (B, wide, H, W)."""

    def __init__(self, wide: int, narrow: int, told: int) -> None:
        super().__init__()
        self.norm_in, self.norm_out = nn.GroupNorm(1, wide), nn.GroupNorm(1, narrow)
        self.conv_in, self.conv_out = (nn.Conv2d(each, narrow, 3, padding=1) for each in (wide, narrow))
        self.told = nn.Linear(told, narrow)
        self.skip = nn.Conv2d(wide, narrow, 1) if wide != narrow else nn.Identity()
        nn.init.zeros_(self.conv_out.weight)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.conv_in(F.silu(self.norm_in(x))) + self.told(told)[:, :, None, None]
        return cast(Tensor, self.skip(x) + self.conv_out(F.silu(self.norm_out(h))))


class UNet(nn.Module):
    """Halves an image until a side is 4 or odd, doubling its channels up to `width // 2`, and goes back up."""

    def __init__(self, spec: Spec, *, width: int, depth: int, classes: int = 0, times: int = 1) -> None:
        super().__init__()
        colours, height, breadth = spec.shape
        channels = [max(1, width // 8)]
        while height % 2 == breadth % 2 == 0 and min(height, breadth) > 4:
            channels.append(min(2 * channels[-1], max(1, width // 2)))
            height, breadth = height // 2, breadth // 2
        told, steps = 2 * channels[0], list(pairwise(channels))
        self.waves, self.time = Waves(), nn.Linear(2 * WAVES * times, told)
        self.label = nn.Embedding(classes + 1, told) if classes else None
        self.first = nn.Conv2d(colours, channels[0], 3, padding=1)
        self.before = nn.ModuleList(Block(wide, wide, told) for wide, _ in steps)
        self.down = nn.ModuleList(nn.Conv2d(wide, narrow, 3, 2, padding=1) for wide, narrow in steps)
        self.middle = nn.ModuleList(Block(channels[-1], channels[-1], told) for _ in range(depth - 1))
        self.up = nn.ModuleList(nn.Conv2d(narrow, wide, 1) for wide, narrow in reversed(steps))
        self.after = nn.ModuleList(Block(2 * wide, wide, told) for wide, _ in reversed(steps))
        self.norm, self.last = nn.GroupNorm(1, channels[0]), nn.Conv2d(channels[0], colours, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        told = self.time(self.waves(t.view(len(x), -1)))
        if self.label is not None:
            told = told + self.label(check.told(label))
        told, h, kept = F.silu(told), self.first(x), []
        for before, down in zip(self.before, self.down, strict=True):
            kept.append(before(h, told))
            h = down(kept[-1])
        for block in self.middle:
            h = block(h, told)
        for up, after in zip(self.up, self.after, strict=True):
            h = after(torch.cat([F.interpolate(up(h), scale_factor=2), kept.pop()], 1), told)
        return cast(Tensor, self.last(F.silu(self.norm(h)))).to(x.dtype)


def velocity_net(spec: Spec, *, width: int, depth: int, classes: int = 0, times: int = 1) -> nn.Module:
    """The net that fits data of `spec`; its outputs are unbounded, for inputs about as large as 1."""
    check.at_least(1, width=width, depth=depth)
    if len(spec.shape) not in (1, 3):
        raise ValueError(f"nets over time are of points or images, the data are of shape {spec.shape}")
    fitting = PointNet if len(spec.shape) == 1 else UNet
    return fitting(spec, width=width, depth=depth, classes=classes, times=times)


def forget(label: Tensor, chance: float, classes: int) -> Tensor:
    """Labels, each left out with that chance from the global generator: Ho, Salimans, "Classifier-Free Diffusion
    Guidance", 2022, arXiv:2207.12598, algorithm 1. (B,) -> (B,)"""
    return torch.where(torch.rand(label.shape, device=label.device) < chance, classes, label)


def guided(net: nn.Module, x: Tensor, t: Tensor, label: Tensor | None, guidance: float, classes: int) -> Tensor:
    """What the net says without a label, and `guidance` times what the label adds: 0 leaves it out, 1 is the net told
    of the label, more exaggerates it (w + 1 in the paper's equation 6). Asks it twice unless guidance is 0 or 1."""
    if not classes:
        return cast(Tensor, net(x, t))
    nothing = torch.full_like(t, classes, dtype=torch.int64)
    if label is None or guidance == 0:
        return cast(Tensor, net(x, t, nothing))
    if guidance == 1:
        return cast(Tensor, net(x, t, label))
    return torch.lerp(net(x, t, nothing), net(x, t, label), guidance)


def passes(classes: int, guidance: float) -> int:
    """How often `guided` asks the net."""
    return 2 if classes and guidance not in (0, 1) else 1


def along(number: Tensor, x: Tensor) -> Tensor:
    """One number a datum, to be multiplied with x: (B,) -> (B, 1, ...)"""
    return number.view(-1, *[1] * (x.dim() - 1))
