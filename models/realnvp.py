"""Real NVP: half of a datum is scaled and shifted as a net says that sees the other half, again and again.

Dinh, Sohl-Dickstein, Bengio, "Density Estimation Using Real NVP", 2016, arXiv:1605.08803: equations 4 and 5, the
checkerboard of figure 3; the log of a scale is a tanh times a learned factor (section 4.1).

Departure: ReLU MLPs on all numbers of the other half in place of residual convolutions; so no masks by channel, no
squeezing and no scales, which are there for these. No batch normalisation; dropout, if that is asked for, in place of
weight decay; the nets start at zero, so that the flow starts at the identity.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.common.couplings import Coupling, CouplingFlow
from models.common.protocol import Spec


class Affine(Coupling):
    """y = x exp(s) + t"""

    def __init__(self, kept: int, bent: int, **nets: Any) -> None:
        super().__init__(kept, bent, 2, **nets)
        self.reach = nn.Parameter(torch.ones(bent))

    def scale_and_shift(self, told: Tensor) -> tuple[Tensor, Tensor]:
        s, t = told.unbind(2)
        return self.reach * s.tanh(), t  # (B, D) each

    def bend(self, x: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.scale_and_shift(told)
        return x * s.exp() + t, s

    def unbend(self, y: Tensor, told: Tensor) -> Tensor:
        s, t = self.scale_and_shift(told)
        return (y - t) * (-s).exp()


class Model(CouplingFlow):
    def __init__(self, spec: Spec, *, couplings: int = 16, **base: Any) -> None:
        super().__init__(spec, Affine, couplings=couplings, **base)
