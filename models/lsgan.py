"""The least squares GAN: the critic regresses on labels, and pulls also at samples that it already takes for data.

Mao, Li, Xie, Lau, Wang, Smolley, "Least Squares Generative Adversarial Networks", 2016, arXiv:1611.04076, equation 9:
labels 0 for samples, 1 for data, 1 for what the generator wants.

Departure: the house nets and the Adam settings of DCGAN (arXiv:1511.06434); Gaussian noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
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
        latent: int = 100,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent)
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
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
        on_real, on_fake = self.critic(torch.cat([batch.x, fake])).chunk(2)  # one pass: (2B, *shape) -> (2B,)
        return {"critic": 0.5 * (on_real - 1).square().mean() + 0.5 * on_fake.square().mean()}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"generator": 0.5 * (self.critic(fake) - 1).square().mean()}

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
