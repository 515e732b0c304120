"""The last frame moved on as it moved before: the floor of whoever predicts motion.

Its displacement is the whole-pixel one of up to `reach` pixels each way by which the frame before the last explains the
last best, by squared error, the shortest of equals: block matching (J. Jain, A. Jain, "Displacement measurement and its
application in interframe image coding", 1981, doi:10.1109/TCOM.1981.1094950) with the whole frame as its block.

Departure: theirs predicts one frame, of blocks that move on their own; here all follow, in equal steps, and several
things with several velocities are moved by one. It knows no walls: what it moves leaves the frame, and black comes in.
It has no players and takes no steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.protocol import Move, Spec


class Model(nn.Module):
    given = "clip"

    def __init__(self, spec: Spec, *, reach: int = 4) -> None:
        super().__init__()
        check.at_least(1, reach=reach)
        check.clips(spec, model="constant_velocity", seen=2)
        self.frames, self.reach = spec.shape[0], reach

    def optimizers(self) -> dict[str, Optimizer]:
        return {}

    def moves(self, step: int) -> Sequence[Move]:
        return []

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        seen = check.told(given, "first frames of a clip")  # (n, seen, C, H, W)
        velocity = displacement(seen[:, -2], seen[:, -1], self.reach)
        ahead = range(1, self.frames - seen.shape[1] + 1)
        return torch.cat([seen, *(moved(seen[:, -1], velocity * each)[:, None] for each in ahead)], 1)


def displacement(before: Tensor, after: Tensor, reach: int) -> Tensor:
    """By how many rows and columns frames (n, C, H, W) moved: (n, 2)"""
    side = range(-reach, reach + 1)
    nearest = sorted(((y, x) for y in side for x in side), key=lambda way: way[0] ** 2 + way[1] ** 2)
    ways = torch.tensor(nearest, device=after.device)  # (ways, 2)
    each = (moved(before, way.expand(len(before), -1)) for way in ways)
    error = torch.stack([(found - after).square().flatten(1).sum(1) for found in each])  # (ways, n)
    return ways[(error == error.amin(0)).int().argmax(0)]  # the first of the least


def moved(x: Tensor, by: Tensor) -> Tensor:
    """Frames (n, C, H, W) moved by whole rows and columns (n, 2); black comes in."""
    for axis in (2, 3):
        size = x.shape[axis]
        source = torch.arange(size, device=x.device) - by[:, axis - 2, None]  # (n, size)
        inside = (source >= 0) & (source < size)
        source, inside = (each.unsqueeze(1).unsqueeze(5 - axis) for each in (source.clamp(0, size - 1), inside))
        x = torch.where(inside, x.gather(axis, source.expand_as(x)), -1.0)
    return x
