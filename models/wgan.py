"""The Wasserstein GAN: a critic held to bounded slope by clipping its weights.

Arjovsky, Chintala, Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875, Algorithm 1. Clipping bounds the critic's
slope by a number K that is not known: its objective estimates K times the Wasserstein distance (section 3).

Departure: a step of training is one minibatch of data: the critic moves in every step, the generator in every
`critic_steps`-th; Gaussian noise for the generator, and no batch normalisation in the critic.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.nets import decoder, scorer
from models.common.noise import noise
from models.common.optimizers import rmsprop
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "nothing"
    divergence = "scaled W1"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        clip: float = 0.01,
        critic_steps: int = 5,
        lr: float = 5e-5,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, critic_steps=critic_steps)
        check.positive(clip=clip, lr=lr)
        self.latent, self.clip, self.critic_steps, self.lr = latent, clip, critic_steps, lr
        self.generator = decoder(spec, latent, width=width, depth=depth)
        self.critic = scorer(spec, width=width, depth=depth)
        self.constrain()

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: rmsprop(net.parameters(), self.lr) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move] + [self.generator_move] * ((step + 1) % self.critic_steps == 0)

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        on_real, on_fake = self.critic(torch.cat([batch.x, fake])).chunk(2)  # one pass: (2B, *shape) -> (2B,)
        return {"critic": on_fake.mean() - on_real.mean()}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"generator": -self.critic(fake).mean()}

    def constrain(self) -> None:
        weights = [weight.detach() for weight in self.critic.parameters()]
        torch._foreach_clamp_min_(weights, -self.clip)
        torch._foreach_clamp_max_(weights, self.clip)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """W1 times the critic's slope, which is not known: (n, *shape), (n, *shape) -> ()"""
        return self.critic(real).mean() - self.critic(fake).mean()

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
