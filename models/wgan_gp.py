"""The Wasserstein GAN with gradient penalty: a critic held to slope one between data and samples.

Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028,
Algorithm 1 (two-sided penalty). On toys the code published with it takes penalty 0.1.

Departure: a step of training is one minibatch of data: the critic moves in every step, the generator in every
`critic_steps`-th. Adam's (0, 0.9) is Algorithm 1's; the published code has (0.5, 0.9).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.nets import Nets, pair
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "nothing"
    divergence = "W1"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 128,
        penalty: float = 10.0,
        critic_steps: int = 5,
        lr: float = 1e-4,
        beta1: float = 0.0,
        beta2: float = 0.9,
        nets: Nets = "house",
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, critic_steps=critic_steps)
        check.positive(penalty=penalty, lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.latent, self.penalty, self.critic_steps = latent, penalty, critic_steps
        self.lr, self.betas = lr, (beta1, beta2)
        self.generator, self.critic = pair(spec, latent, nets=nets, width=width, depth=depth, gradient_in_loss=True)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move] + [self.generator_move] * ((step + 1) % self.critic_steps == 0)

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        on_real, on_fake = self.critic(torch.cat([batch.x, fake])).chunk(2)  # one pass: (2B, *shape) -> (2B,)
        slope = losses.gradient_penalty(self.critic, batch.x, fake)
        return {"critic": on_fake.mean() - on_real.mean() + self.penalty * slope}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"generator": -self.critic(fake).mean()}

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """W1, as far as the penalty holds the slope at one: (n, *shape), (n, *shape) -> () in units of the data"""
        return self.critic(real).mean() - self.critic(fake).mean()

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
