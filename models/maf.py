"""The masked autoregressive flow: each number is shifted and scaled as those before it say, again and again.

Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow for Density Estimation", 2017, arXiv:1705.07057, equations 3
to 5: what says so is one MADE a layer, whose order is turned round from layer to layer. The density takes one look at
each net; a sample takes one for every number.

Departure: no batch normalisation and no weight decay; ReLU; the nets start at zero, so that the flow starts at the
identity. Images are dequantised and seen as logits as in `realnvp`; the paper's logits have a narrower margin.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.common import check
from models.common.flows import Flow, Layer, silent
from models.common.masked import made
from models.common.protocol import Spec


class Autoregression(Layer):
    """z = (x - m(x before)) exp(-a(x before)), turned round"""

    def __init__(self, dims: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.net = silent(made(torch.arange(dims) + 1, 2, width=width, depth=depth))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_scale = self.net(x).unbind(1)  # (B, D) each
        return ((x - mean) * (-log_scale).exp()).flip(1), -log_scale.sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        z, x = z.flip(1), torch.zeros_like(z)
        for place in range(z.shape[1]):
            mean, log_scale = self.net(x)[:, :, place].unbind(1)  # (B,) each
            x[:, place] = z[:, place] * log_scale.exp() + mean
        return x


class Model(Flow):
    def __init__(self, spec: Spec, *, layers: int = 5, **base: Any) -> None:
        check.at_least(1, layers=layers)
        super().__init__(spec, **base)
        self.stack(Autoregression(self.dims, width=self.width, depth=self.depth) for _ in range(layers))
        self.evaluations = self.dims
