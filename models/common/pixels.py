"""Grey levels 0..L-1 and the numbers in [-1, 1] that stand for them."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def to_levels(x: Tensor, levels: int) -> Tensor:
    """Numbers to the nearest level, int64."""
    return ((x + 1) * ((levels - 1) / 2)).round().clamp(0, levels - 1).long()


def from_levels(level: Tensor, levels: int, like: Tensor) -> Tensor:
    """Levels to numbers of the dtype of `like`."""
    return level.to(like.dtype) * (2 / (levels - 1)) - 1


def check_levels(x: Tensor, levels: int) -> None:
    off = ~((x - from_levels(to_levels(x, levels), levels, like=x)).abs() < 1e-4)  # so NaN is off, too
    if off.any():
        raise ValueError(
            f"a pixel is {x[off][0].item():g}, none of the {levels} levels from -1 to 1: quantise with to_levels"
        )


def dequantised(x: Tensor, levels: int, rng: Generator | None = None) -> Tensor:
    """Each number of discrete data anywhere between halfway to its neighbours, alike likely, from rng or the global
    generator; continuous data, of 0 levels, as they are (Theis, van den Oord, Bethge, 2016, arXiv:1511.01844)."""
    if not levels:
        return x
    chance = torch.rand(x.shape, generator=rng, dtype=x.dtype, device=x.device)
    return x + (2 * chance - 1) / (levels - 1)
