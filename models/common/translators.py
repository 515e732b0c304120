"""Nets that translate from one domain to another, points to points or small images to images, and critics of patches.

U-Net with skips and dropout: Isola, Zhu, Zhou, Efros, 2017, arXiv:1611.07004, section 6.1.1. Residual blocks with
instance normalisation: Zhu, Park, Isola, Efros, 2017, arXiv:1703.10593, section 7.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.common.layers import Double, Halve
from models.common.nets import Net, mlp

Shape = tuple[int, ...]


def beside(x: Tensor, z: Tensor) -> Tensor:
    """(B, C, ...), (B, latent) -> (B, C + latent, ...): numbers beside a point, on an image as constant planes."""
    return torch.cat([x, z.reshape(*z.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])], 1)


def dropped(x: Tensor, share: float, rng: Generator | None = None) -> Tensor:
    """Dropout, in eval mode too: chance from rng, or without one from torch's global generator."""
    if not share:
        return x
    kept = torch.rand(x.shape, generator=rng, dtype=x.dtype, device=x.device) >= share
    return x * kept / (1 - share)


class Dense(nn.Module):
    """Of points: an affine map plus what an MLP adds to it."""

    def __init__(self, source: int, target: int, *, width: int, depth: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.skip = nn.Linear(source, target)
        *hidden, self.last = mlp(source, target, width, depth)
        self.hidden = nn.ModuleList(hidden)
        nn.init.eye_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        h = x
        for layer in self.hidden:
            h = layer(h) if isinstance(layer, nn.Linear) else dropped(layer(h), self.dropout, rng)
        return (self.skip(x) + self.last(h)).to(x.dtype)


class Level(nn.Module):
    """A halving of a U-Net, all levels below it, and the doubling back: (B, outer, 2H, 2W) -> (B, out, 2H, 2W)"""

    def __init__(self, outer: int, inner: list[int], out: int, dropout: float) -> None:
        super().__init__()
        first, *rest = inner
        self.dropout = dropout
        self.down = Halve(outer, first)
        self.below = Level(first, rest, first, dropout) if rest else None
        self.norm = nn.BatchNorm2d(first) if rest else nn.Identity()  # nothing varies within the innermost pixel
        self.up = Double(first * (2 if rest else 1), out)

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        low = F.leaky_relu(self.norm(self.down(x)), 0.2)
        if self.below is not None:
            low = torch.cat([low, self.below(low, rng)], 1)
        return self.up(dropped(F.relu(low), self.dropout, rng))
