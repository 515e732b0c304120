"""The spectrally normalised GAN: each of the critic's layers has spectral norm one; hinge loss.

Miyato, Kataoka, Koyama, Yoshida, "Spectral Normalization for Generative Adversarial Networks", 2018,
arXiv:1802.05957: equation 8 by Algorithm 1 (one power iteration whenever the critic is asked in training), hinge loss
of equations 16 and 17, settings of appendix B.2. As in the paper the norm of a convolution is that of its kernel as a
matrix (out, in * height * width), not that of the linear map which it is. `slope` is the K of equation 5.

Departure: a step of training is one minibatch of data: the critic moves in every step, the generator in every
`critic_steps`-th; constant learning rate; the house nets in place of residual ones, biases not normalised.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
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
        latent: int = 128,
        slope: float = 1.0,
        critic_steps: int = 5,
        lr: float = 2e-4,
        beta1: float = 0.0,
        beta2: float = 0.9,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, critic_steps=critic_steps)
        check.positive(slope=slope, lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.latent, self.slope, self.critic_steps = latent, slope, critic_steps
        self.lr, self.betas = lr, (beta1, beta2)
        self.generator = decoder(spec, latent, width=width, depth=depth)
        self.critic = scorer(spec, width=width, depth=depth)
        for layer in self.critic.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                spectral_norm(layer)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move] + [self.generator_move] * ((step + 1) % self.critic_steps == 0)

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        on_real, on_fake = self.score(torch.cat([batch.x, fake])).chunk(2)  # one pass: (2B, *shape) -> (2B,)
        return {"critic": F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"generator": -self.score(fake).mean()}

    def score(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,), of slope `slope` at most where the layers are those of points"""
        return self.slope * self.critic(x)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
