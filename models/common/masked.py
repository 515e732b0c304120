"""Nets in which an output sees only the numbers that come before its own in an order.

Germain, Gregor, Murray, Larochelle, "MADE: Masked Autoencoder for Distribution Estimation", 2015, arXiv:1502.03509,
section 3: every unit has a degree, an input that of its place in the order, 1 to D; a hidden unit sees units of its own
degree or less (equation 12), an output those of less than its own (equation 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.common import check
from models.common.nets import Net


class MaskedLinear(nn.Linear):
    """(B, inp) -> (B, out), by those weights alone that the mask (out, inp) lets be; it may be given anew."""

    def __init__(self, mask: Tensor) -> None:
        out, inp = mask.shape
        super().__init__(inp, out)
        self.mask = nn.Buffer(mask.to(self.weight))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


def masks(order: Tensor, hidden: Sequence[Tensor], outs: int = 1) -> list[Tensor]:
    """Who sees whom, (out, inp) bool for each layer, given the order (D,), a permutation of 1 to D, and the degrees of
    each hidden layer, (width,). The last layer has `outs` lists of D outputs, one after the other."""
    inner = [above[:, None] >= below for below, above in pairwise([order, *hidden])]
    return [*inner, order.repeat(outs)[:, None] > [order, *hidden][-1]]


def spread(dims: int, width: int) -> Tensor:
    """Degrees of a hidden layer, from 1 to D - 1 evenly: (width,)"""
    return torch.arange(width) * max(1, dims - 1) // width + 1


def made(order: Tensor, outs: int, *, width: int, depth: int) -> Net:
    """(B, D) -> (B, outs, D) through `depth` hidden layers of `width` ReLUs; what is said of a dimension hangs on those
    before it in the order (D,) alone."""
    check.at_least(1, width=width, depth=depth)
    dims = len(order)
    *inner, last = masks(order, [spread(dims, width)] * depth, outs)
    hidden = (part for mask in inner for part in (MaskedLinear(mask), nn.ReLU()))
    return Net(*hidden, MaskedLinear(last), nn.Unflatten(1, (outs, dims)))
