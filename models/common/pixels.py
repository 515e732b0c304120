"""Grey levels 0..L-1 and the numbers in [-1, 1] that stand for them."""

from __future__ import annotations

from torch import Tensor


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
