"""Flows that bend half of a datum as the other half says, so that function, inverse and determinant are as simple as
those of one number.

Dinh, Sohl-Dickstein, Bengio, "Density Estimation Using Real NVP", 2016, arXiv:1605.08803, sections 3.2 and 3.4: the
halves are the white and the black squares of a checkerboard; of points every other number. Departure: the colours
alternate over channels, too, since no squeezing makes channels of squares. A model file inherits from
`CouplingFlow`, and gives it a `Coupling` of its own.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.common import check
from models.common.flows import Flow, Layer, with_dropout
from models.common.nets import mlp
from models.common.protocol import Spec


class Coupling(Layer):
    """The second part of a vector is bent as a net says that sees the first, and then stands first."""

    def __init__(self, kept: int, bent: int, outs: int, *, width: int, depth: int, dropout: float = 0.0) -> None:
        """`outs` numbers say how one number is bent: zeros, as the net says at first, not at all."""
        super().__init__()
        self.kept, self.bent, self.outs = kept, bent, outs
        self.net = with_dropout(mlp(kept, bent * outs, width, depth), dropout)
        for parameter in self.net[-1].parameters():
            nn.init.zeros_(parameter)

    @abstractmethod
    def bend(self, x: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D), (B, D, outs) -> (B, D), and the logs of the slopes, (B, D)"""

    @abstractmethod
    def unbend(self, y: Tensor, told: Tensor) -> Tensor:
        """(B, D), (B, D, outs) -> (B, D)"""

    def told(self, kept: Tensor) -> Tensor:
        return self.net(kept).unflatten(1, (self.bent, self.outs))  # (B, kept) -> (B, bent, outs)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, bent = x.split([self.kept, self.bent], 1)
        y, log_slope = self.bend(bent, self.told(kept))
        return torch.cat([y, kept], 1), log_slope.sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        y, kept = z.split([self.bent, self.kept], 1)
        return torch.cat([kept, self.unbend(y, self.told(kept))], 1)


class CouplingFlow(Flow):
    def __init__(self, spec: Spec, coupling: Callable[..., Coupling], *, couplings: int = 4, **base: Any) -> None:
        check.at_least(1, couplings=couplings)
        super().__init__(spec, **base)
        black = math.prod(spec.shape) // 2  # squares: one less than of the white where all sides are odd
        sizes = (math.prod(spec.shape) - black, black)
        if not black:
            raise ValueError(f"a coupling needs two numbers or more, the data are of shape {spec.shape}: choose maf")
        layers = (coupling(*sizes[:: (-1) ** i], **self.nets) for i in range(couplings))
        self.stack(layers, checkerboard(spec).long().argsort(stable=True))


def checkerboard(spec: Spec) -> Tensor:
    """Which numbers of a datum stand on black squares: (D,) bool"""
    places = torch.meshgrid(*(torch.arange(size) for size in spec.shape), indexing="ij")
    return torch.stack(places).sum(0).flatten() % 2 == 1
