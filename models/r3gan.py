"""R3GAN: a datum and a sample are scored against each other, by a critic that is flat on both once they agree.

Huang, Gokaslan, Kuleshov, Tompkin, "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024,
arXiv:2501.05441: relativistic pairing loss (equation 2, f(t) = -log(1 + exp(-t))) with R1 on data and R2 on samples
(equation 3), each gamma / 2 times the mean squared norm of the critic's gradient, in every step (appendix E: sparing
them for some steps fails on toys). Settings: Stacked MNIST's in Table 9, at their final values.

Departure: no schedules (burn-in of gamma and beta2), and the house nets in place of the residual ones that the paper
arrives at: this is its section 2, the loss, not its section 3, the architecture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.nets import decoder, scorer
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 64,
        gamma: float = 0.1,
        lr: float = 2e-4,
        beta1: float = 0.0,
        beta2: float = 0.99,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent)
        check.positive(gamma=gamma, lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.latent, self.gamma, self.lr, self.betas = latent, gamma, lr, (beta1, beta2)
        self.generator = decoder(spec, latent, width=width, depth=depth)
        self.critic = scorer(spec, width=width, depth=depth, gradient_in_loss=True)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        both = torch.cat([batch.x, fake]).requires_grad_()
        scores = self.critic(both)  # one pass: (2B, *shape) -> (2B,)
        (slope,) = torch.autograd.grad(scores.sum(), both, create_graph=True)  # (2B, *shape)
        on_real, on_fake = scores.chunk(2)
        r1, r2 = (0.5 * self.gamma * half.square().flatten(1).sum(1).mean() for half in slope.chunk(2))
        return {"critic": F.softplus(on_fake - on_real).mean() + r1 + r2}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        on_real, on_fake = self.critic(torch.cat([batch.x, fake])).chunk(2)  # one pass: (2B, *shape) -> (2B,)
        return {"generator": F.softplus(on_real - on_fake).mean()}

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
