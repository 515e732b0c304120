"""f-GAN: a critic whose objective is a lower bound of an f-divergence, and a generator that lessens it.

Nowozin, Cseke, Tomioka, "f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization", 2016,
arXiv:1606.00709: equation 6 by Algorithm 1 (one gradient step for each player), output activations and conjugates of
Table 2 and the supplement. D_f(P||Q) = E_Q[f(p/q)] with P the data and Q the samples; F = E_P[g(V)] - E_Q[f*(g(V))].
The generator lessens F itself (`minimax`), which is then what it is said to lessen: the divergence. Section 3.2's
`alternative` raises E_Q[g(V)] instead, for data whose critic is soon so sure that f*(g(V)) is flat where samples are.
The divergence by default is one that trained in every seed tried; KL's exp(V) on samples can explode.

Departure: each player in turn, where Algorithm 1 moves both at once; the nets and Adam settings of DCGAN
(arXiv:1511.06434); Gaussian noise; no gradient clipping.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.nets import decoder, scorer
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec

LOG2 = math.log(2)


class Divergence(NamedTuple):
    """What training needs of f, as functions of the critic's output v: so written, f* does not overflow at t = g(v)."""

    name: str  # what the bound F is of
    activation: Callable[[Tensor], Tensor]  # g(v), increasing, onto the domain of f*
    conjugate: Callable[[Tensor], Tensor]  # f*(g(v)) with f*(t) = sup over u of ut - f(u)


DIVERGENCES = {
    "kl": Divergence("KL", lambda v: v, lambda v: (v - 1).exp()),  # f(u) = u log u
    "reverse_kl": Divergence("reverse KL", lambda v: -(-v).exp(), lambda v: v - 1),  # -log u
    "pearson": Divergence("Pearson chi2", lambda v: v, lambda v: v.square() / 4 + v),  # (u - 1)^2
    "squared_hellinger": Divergence("squared Hellinger", lambda v: -(-v).expm1(), torch.expm1),  # (sqrt(u) - 1)^2
    # u log u - (u + 1) log((u + 1) / 2), which is twice what is called Jensen-Shannon elsewhere
    "jensen_shannon": Divergence("2 JS", lambda v: LOG2 - F.softplus(-v), lambda v: F.softplus(v) - LOG2),
    "gan": Divergence("2 JS - log 4", lambda v: -F.softplus(-v), F.softplus),  # u log u - (u + 1) log(u + 1)
    "total_variation": Divergence("total variation", lambda v: v.tanh() / 2, lambda v: v.tanh() / 2),  # |u - 1| / 2
}


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        divergence: Literal[
            "kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan", "total_variation"
        ] = "squared_hellinger",
        generator: Literal["minimax", "alternative"] = "minimax",
        latent: int = 100,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.one_of(DIVERGENCES, divergence=divergence)
        check.one_of(("minimax", "alternative"), generator=generator)
        check.at_least(1, latent=latent)
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.divergence, self.activation, self.conjugate = DIVERGENCES[divergence]
        self.raised = self.conjugate if generator == "minimax" else self.activation
        self.latent, self.lr, self.betas = latent, lr, (beta1, beta2)
        self.generator = decoder(spec, latent, width=width, depth=depth)
        self.critic = scorer(spec, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"critic": -self.estimate(batch.x, fake)}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"generator": -self.raised(self.critic(fake)).mean()}

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """F, whose supremum over critics is the divergence: (n, *shape), (n, *shape) -> ()"""
        on_real, on_fake = self.critic(torch.cat([real, fake])).split([len(real), len(fake)])  # one pass
        return self.activation(on_real).mean() - self.conjugate(on_fake).mean()

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
