"""The masked autoregressive flow: each number is shifted and scaled as those before it say, again and again.

Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow for Density Estimation", 2017, arXiv:1705.07057, section 3:
what says so is one MADE a layer, whose order is turned round from layer to layer. The density takes one look at each
net; a sample takes one for every number. With `components`, noise is a MADE's mixtures of Gaussians, their MAF MoG.

Departure: no batch normalisation, and dropout, if that is asked for, in place of weight decay. The log of a scale is
held within a bound, without which data far from those learnt from overflow. Images are seen as logits with the margin
of Real NVP, which is wider than the paper's.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.common import check
from models.common.flows import Flow, Layer, with_dropout
from models.common.masked import made
from models.common.noise import noise
from models.common.protocol import Spec

REACH = 7.0  # of the log of a scale


def held(log_scale: Tensor) -> Tensor:
    return REACH * (log_scale / REACH).tanh()


class Autoregression(Layer):
    """z = (x - m(x before)) exp(-a(x before)), turned round"""

    def __init__(self, dims: int, *, dropout: float, **sizes: int) -> None:
        super().__init__()
        self.net = with_dropout(made(torch.arange(dims) + 1, 2, **sizes), dropout)

    def told(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_scale = self.net(x).unbind(1)
        return mean, held(log_scale)  # (B, D) each

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_scale = self.told(x)
        return ((x - mean) * (-log_scale).exp()).flip(1), -log_scale.sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        z, x = z.flip(1), torch.zeros_like(z)
        for place in range(z.shape[1]):
            mean, log_scale = (part[:, place] for part in self.told(x))
            x[:, place] = z[:, place] * log_scale.exp() + mean
        return x


class Mixtures(nn.Module):
    """Noise whose numbers are each a mixture of Gaussians, told by a MADE of those before it."""

    def __init__(self, dims: int, components: int, *, dropout: float, **sizes: int) -> None:
        super().__init__()
        self.dims = dims
        self.net = with_dropout(made(torch.arange(dims) + 1, 3 * components, **sizes), dropout)
        bias = self.net[-2].get_parameter("bias").detach()
        nn.init.normal_(bias.view(3, components, dims)[1])  # means that are far from alike

    def told(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, D) -> log-shares, means and log-scales, (B, components, D) each"""
        log_share, mean, log_scale = self.net(z).unflatten(1, (3, -1)).unbind(1)
        return log_share.log_softmax(1), mean, held(log_scale)

    def log_prob(self, z: Tensor) -> Tensor:
        log_share, mean, log_scale = self.told(z)
        distance = (z[:, None] - mean) * (-log_scale).exp()
        log_normal = -0.5 * (distance.square() + math.log(2 * math.pi)) - log_scale
        return (log_share + log_normal).logsumexp(1).sum(1)  # (B,)

    def draw(self, n: int, rng: Generator) -> Tensor:
        z = next(self.parameters()).new_zeros(n, self.dims)
        for place, chance in enumerate(noise(n, self.dims, z, rng).unbind(1)):
            log_share, *law = (part[:, :, place] for part in self.told(z))
            chosen = torch.multinomial(log_share.exp(), 1, generator=rng)  # (n, 1)
            mean, log_scale = (part.gather(1, chosen)[:, 0] for part in law)
            z[:, place] = mean + log_scale.exp() * chance
        return z


class Model(Flow):
    def __init__(self, spec: Spec, *, layers: int = 5, components: int = 1, lr: float = 1e-4, **base: Any) -> None:
        check.at_least(1, layers=layers, components=components)
        super().__init__(spec, lr=lr, **base)
        self.stack(Autoregression(self.dims, **self.nets) for _ in range(layers))
        self.mixtures = Mixtures(self.dims, components, **self.nets) if components > 1 else None
        self.evaluations = self.dims

    def noise_log_prob(self, z: Tensor) -> Tensor:
        return super().noise_log_prob(z) if self.mixtures is None else self.mixtures.log_prob(z)

    def noise(self, n: int, rng: Generator) -> Tensor:
        return super().noise(n, rng) if self.mixtures is None else self.mixtures.draw(n, rng)
