"""The neural spline flow with couplings: half of a datum is bent by splines that a net says, which sees the other half.

Durkan, Bekasov, Murray, Papamakarios, "Neural Spline Flows", 2019, arXiv:1906.04032, section 3.1: a monotone
rational-quadratic spline of `bins` pieces on [-box, box], the identity outside; widths, heights and slopes of 0.001 at
least.

Departure: ReLU MLPs in place of residual nets, the halves' change of places alone in place of learned linear layers
between couplings, images as in `realnvp`; dropout only if that is asked for, no clipping of gradients, no batch
normalisation; four couplings of 32 bins, where the code published with it has two of 64 for points. The nets start at
zero, and the flow at the identity.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.common import check
from models.common.couplings import Coupling, CouplingFlow
from models.common.protocol import Spec

LEAST = 1e-3  # width, height, slope of a bin: shares of the box


class Bins(NamedTuple):
    """The bin that each number lies in: its lower corner, its width, height and slopes at both ends, (B, D) each."""

    left: Tensor
    foot: Tensor
    width: Tensor
    height: Tensor
    first: Tensor
    last: Tensor


def knots(told: Tensor, box: float) -> Tensor:
    """(B, D, K) -> (B, D, K + 1) from -box to box"""
    share = LEAST + (1 - LEAST * told.shape[2]) * told.softmax(2)
    return F.pad(2 * box * share.cumsum(2), (1, 0)) - box


def bins(told: Tensor, box: float, x: Tensor, upright: bool) -> Bins:
    """The bins of x (B, D), or where `upright` of heights x, of splines told by (B, D, 3K - 1)."""
    count = (told.shape[2] + 1) // 3
    across, up = (knots(part, box) for part in told[:, :, : 2 * count].split(count, 2))
    slopes = LEAST + F.softplus(told[:, :, 2 * count :] + math.log(math.expm1(1 - LEAST)))  # one where told zero
    slopes = F.pad(slopes, (1, 1), value=1.0)  # (B, D, K + 1), smooth where the tails begin
    at = ((up if upright else across)[:, :, 1:-1] <= x[:, :, None]).sum(2, keepdim=True)  # (B, D, 1)
    left, right, foot, top, first, last = (
        knot.gather(2, at + next_)[:, :, 0] for knot in (across, up, slopes) for next_ in (0, 1)
    )
    return Bins(left, foot, right - left, top - foot, first, last)


class Spline(Coupling):
    def __init__(self, kept: int, bent: int, *, bins: int, box: float, **nets: Any) -> None:
        super().__init__(kept, bent, 3 * bins - 1, **nets)
        self.box = box

    def bend(self, x: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        inside = x.abs() < self.box
        it = bins(told, self.box, torch.where(inside, x, 0.0), upright=False)
        mean = it.height / it.width
        share = (torch.where(inside, x, 0.0) - it.left) / it.width  # xi
        both = share * (1 - share)
        below = mean + (it.first + it.last - 2 * mean) * both
        y = it.foot + it.height * (mean * share.square() + it.first * both) / below
        above = it.last * share.square() + 2 * mean * both + it.first * (1 - share).square()
        slope = 2 * mean.log() + above.log() - 2 * below.log()
        return torch.where(inside, y, x), torch.where(inside, slope, 0.0)

    def unbend(self, y: Tensor, told: Tensor) -> Tensor:
        inside = y.abs() < self.box
        it = bins(told, self.box, torch.where(inside, y, 0.0), upright=True)
        mean, rise = it.height / it.width, torch.where(inside, y, 0.0) - it.foot
        bend = rise * (it.first + it.last - 2 * mean)
        a, b, c = it.height * (mean - it.first) + bend, it.height * it.first - bend, -mean * rise
        share = 2 * c / (-b - (b.square() - 4 * a * c).clamp(min=0).sqrt())
        return torch.where(inside, it.left + share * it.width, y)


class Model(CouplingFlow):
    def __init__(self, spec: Spec, *, bins: int = 32, box: float = 5.0, lr: float = 5e-4, **base: Any) -> None:
        check.at_least(1, bins=bins)
        if bins * LEAST >= 1:
            raise ValueError(
                f"bins = {bins}: must be {round(1 / LEAST) - 1} or less, since none is narrower than {LEAST}"
            )
        check.positive(box=box)
        super().__init__(spec, partial(Spline, bins=bins, box=box), lr=lr, **base)
