"""What normalising flows share: a density by the change of variables, and what follows for data that have levels.

Dinh, Sohl-Dickstein, Bengio, "Density Estimation Using Real NVP", 2016, arXiv:1605.08803, equations 2 and 3. A model
file inherits from `Flow`, and makes its layers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.codes import standard_normal
from models.common.dequantised import noisy_logits, of_logits
from models.common.nets import Net
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.pixels import check_levels
from models.common.protocol import Batch, Losses, Move, Spec

AT_ONCE = 4096  # dequantisations in memory when a bound is computed


class Layer(nn.Module, ABC):
    """A function with an inverse, one of several from a datum as a flat vector to noise."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) -> (B, D), and the log of the Jacobian's determinant, (B,)"""

    @abstractmethod
    def inverse(self, z: Tensor) -> Tensor:
        """(B, D) -> (B, D)"""


class Flow(nn.Module):
    """Its layers are given data, or where these have levels the logits of dequantised levels."""

    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        dropout: float = 0.0,
        draws: int = 50,
        lr: float = 1e-3,
        width: int = 64,
        depth: int = 2,
    ) -> None:
        super().__init__()
        check.at_least(1, draws=draws, width=width, depth=depth)
        check.decay(dropout=dropout)
        check.positive(lr=lr)
        self.shape, self.dims, self.levels = spec.shape, math.prod(spec.shape), spec.levels
        self.draws, self.lr = draws, lr
        self.nets: dict[str, Any] = {"width": width, "depth": depth, "dropout": dropout}  # of every layer's net
        self.bound = spec.levels > 0
        self.estimator = f"uniform dequantisation, {draws} draws" if self.bound else "exact"

    def stack(self, layers: Iterable[Layer], order: Tensor | None = None) -> None:
        """The layers, and the order (D,) in which the first is given a datum's numbers: row by row unless told."""
        self.layers = nn.ModuleList(layers)
        order = torch.arange(self.dims) if order is None else order
        self.order, self.back = nn.Buffer(order), nn.Buffer(order.argsort())

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": adam(self.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.likelihood_move]

    def likelihood_move(self, batch: Batch) -> Losses:
        return {"model": -self.one_draw(batch.x).mean()}

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data, or logits, to noise: (B, *shape) -> (B, D), and the log of the Jacobian's determinant, (B,)"""
        z, nats = x.flatten(1)[:, self.order], x.new_zeros(len(x))
        for layer in self.layers:
            z, more = layer(z)
            nats = nats + more
        return z, nats

    def inverse(self, z: Tensor) -> Tensor:
        for layer in reversed(self.layers):
            assert isinstance(layer, Layer)
            z = layer.inverse(z)
        return z[:, self.back].unflatten(1, self.shape)  # (B, D) -> (B, *shape)

    def density(self, x: Tensor) -> Tensor:
        z, nats = self(x)
        return self.noise_log_prob(z) + nats  # (B, *shape) -> (B,) nats, of data or of logits

    def noise_log_prob(self, z: Tensor) -> Tensor:
        return standard_normal(z)  # (B, D) -> (B,) nats

    def noise(self, n: int, rng: Generator) -> Tensor:
        return noise(n, self.dims, next(self.parameters()), rng)  # (n, D)

    def one_draw(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        """(B, *shape) -> (B,) nats: the log-density, of data with levels that of one dequantisation."""
        if not self.levels:
            return self.density(x)
        logits, slope = noisy_logits(x, self.levels, rng)
        return self.density(logits) + slope

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats, of levels a lower bound: the log of the mean over `draws` dequantisations, from a
        seed of their own, so that the same x gives the same bound."""
        if not self.levels:
            return self.density(x)
        check_levels(x, self.levels)
        rng = Generator(x.device).manual_seed(0)
        return torch.cat([self.log_mean(chunk, rng) for chunk in x.split(max(1, AT_ONCE // self.draws))])

    def log_mean(self, x: Tensor, rng: Generator) -> Tensor:
        nats = self.one_draw(x.repeat_interleave(self.draws, 0), rng)  # (B * draws,)
        return nats.view(-1, self.draws).logsumexp(1) - math.log(self.draws)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        x = self.inverse(self.noise(n, rng))  # (n, *shape)
        if self.levels:
            return of_logits(x, self.levels)
        return x if len(self.shape) == 1 else x.clamp(-1, 1)


def with_dropout(net: Net, share: float) -> Net:
    """The net, whose hidden units are left out with this chance in training."""
    if share == 0:
        return net
    return Net(*(part for layer in net for part in [layer] + [nn.Dropout(share)] * isinstance(layer, nn.ReLU)))
