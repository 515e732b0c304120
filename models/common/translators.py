"""Nets that translate: points to points, small images (8x8 to 32x32) to images, and critics of patches.

A U-Net with skips and dropout: Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial
Networks", 2016, arXiv:1611.07004, section 6.1. Residual blocks with instance normalisation: Zhu, Park, Isola, Efros,
"Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017, arXiv:1703.10593, section 7.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.common import check
from models.common.layers import Double, Halve
from models.common.nets import Net, mlp
from models.common.protocol import Spec

Shape = tuple[int, ...]


def u_net(source: Shape, target: Shape, *, width: int, depth: int, dropout: float = 0.0) -> nn.Module:
    """(B, *source), or that and a generator for the chance of dropout -> (B, *target), images in [-1, 1]"""
    check.at_least(1, width=width, depth=depth)
    if len(source) == 1:
        return Dense(source[0], target[0], width=width, depth=depth, dropout=dropout)
    return UNet(source, target[0], width=width, dropout=dropout)


def resnet(source: Shape, target: Shape, *, width: int, depth: int) -> nn.Module:
    """(B, *source) -> (B, *target), images in [-1, 1]; `depth` blocks on an image, that many layers on a point"""
    check.at_least(1, width=width, depth=depth)
    if len(source) == 1:
        return Dense(source[0], target[0], width=width, depth=depth)
    channels = max(1, width // 4)
    ends = nn.Conv2d(source[0], channels, 3, padding=1), nn.Conv2d(channels, target[0], 3, padding=1)
    return Net(ends[0], nn.ReLU(), *(Block(channels) for _ in range(depth)), ends[1], nn.Tanh())


def critic(shape: Shape, *, width: int, depth: int) -> Net:
    """(B, *shape) -> (B, P): a score of each patch of an image, 12 pixels wide, or one of a point"""
    check.at_least(1, width=width, depth=depth)
    if len(shape) == 1:
        return mlp(shape[0], 1, width, depth)
    narrow = max(1, width // 4)
    first = Halve(shape[0], narrow), nn.LeakyReLU(0.2)
    second = nn.Conv2d(narrow, 2 * narrow, 3, padding=1), nn.LeakyReLU(0.2)
    return Net(*first, *second, nn.Conv2d(2 * narrow, 1, 3, padding=1), nn.Flatten())


def of_pairs(spec: Spec) -> Shape:
    """The shape of a datum of either domain, one after the other."""
    return (spec.partner[0] + spec.shape[0], *spec.shape[1:])


def beside(x: Tensor, z: Tensor) -> Tensor:
    """(B, C, ...), (B, latent) -> (B, C + latent, ...): numbers beside a point, on an image as constant planes."""
    return torch.cat([x, z.reshape(*z.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])], 1)


def dropped(x: Tensor, share: float, rng: Generator | None = None) -> Tensor:
    """Dropout, in eval mode too: chance from rng, or without one from torch's global generator."""
    if not share:
        return x
    kept = torch.rand(x.shape, generator=rng, device=x.device) >= share
    return x * kept / (1 - share)


class Dense(nn.Module):
    """A point, and what an MLP adds to it."""

    def __init__(self, source: int, target: int, *, width: int, depth: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout, self.dims = dropout, target
        *hidden, last = mlp(source, target, width, depth)
        self.hidden, self.last = nn.ModuleList(hidden), last
        for parameter in last.parameters():  # no correction at first
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        h = x
        for layer in self.hidden:
            h = layer(h) if isinstance(layer, nn.Linear) else dropped(layer(h), self.dropout, rng)
        return x[:, : self.dims] + self.last(h).to(x.dtype)  # (B, source) -> (B, target)


class UNet(nn.Module):
    """Halves an image down to a pixel, or an odd side, and doubles it again, each size seen by what makes it anew."""

    def __init__(self, source: Shape, out: int, *, width: int, dropout: float) -> None:
        super().__init__()
        channels: list[int] = []
        sides = min(source[1:])
        while sides % 2 == 0:
            channels.append(max(1, width // 4) * min(2 ** len(channels), 8))
            sides //= 2
        if not channels:
            raise ValueError(f"images of {source[1]}x{source[2]} cannot be halved: pad or resize them to even sides")
        of_largest = dropout if len(channels) < 3 else 0.0  # or there would be no chance at all
        self.levels = Level(source[0], channels, out, of_largest, dropout, largest=True)

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        return self.levels(x, rng).to(x.dtype).tanh()


class Level(nn.Module):
    """A halving, all that is below it, and the doubling back: (B, outer, 2H, 2W) -> (B, out, 2H, 2W)

    `dropout` is that of what comes from below, or of the code where nothing does; `of_below` that within.
    """

    def __init__(
        self, outer: int, channels: list[int], out: int, dropout: float, of_below: float, *, largest: bool = False
    ) -> None:
        super().__init__()
        first, *rest = channels
        self.dropout = dropout
        self.down = Halve(outer, first)
        self.below = Level(first, rest, first, of_below if len(rest) > 1 else 0.0, of_below) if rest else None
        self.norm_down = nn.BatchNorm2d(first) if rest and not largest else nn.Identity()
        self.norm_up = nn.BatchNorm2d(first) if rest else nn.Identity()
        self.up = Double(first * (2 if rest else 1), out)

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        low = F.leaky_relu(self.norm_down(self.down(x)), 0.2)
        if self.below is None:
            low = dropped(low, self.dropout, rng)
        else:
            low = torch.cat([low, dropped(self.norm_up(self.below(low, rng)), self.dropout, rng)], 1)
        return self.up(low.relu())


class Block(nn.Module):
    """Adds to an image what two convolutions make of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)]
        norms = [nn.InstanceNorm2d(channels) for _ in range(2)]
        self.change = nn.Sequential(layers[0], norms[0], nn.ReLU(), layers[1], norms[1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)
