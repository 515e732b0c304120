"""The original GAN: a generator against a critic that tells its samples from data.

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio, "Generative Adversarial Networks", 2014,
arXiv:1406.2661, Algorithm 1 with k = 1. The critic's loss is 2 log 2 - 2 JS at least (Theorem 1), hence its estimate.
One-sided label smoothing, off by default: Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen, "Improved Techniques
for Training GANs", 2016, arXiv:1606.03498, section 3.4.

Departure: the nets and Adam settings of DCGAN (arXiv:1511.06434), unless `nets` says pacgan, in place of maxout nets
and momentum; Gaussian noise; the paper's discriminator is called critic, as in the other models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

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
    divergence = "JS"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        loss: Literal["non_saturating", "minimax"] = "non_saturating",
        smoothing: float = 0.0,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        nets: Nets = "house",
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent)
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2, smoothing=smoothing)
        generator_losses = {"non_saturating": losses.non_saturating, "minimax": losses.minimax}
        check.one_of(generator_losses, loss=loss)
        self.latent, self.smoothing, self.lr, self.betas = latent, smoothing, lr, (beta1, beta2)
        self.generator_loss = generator_losses[loss]
        self.generator, self.critic = pair(spec, latent, nets=nets, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        on_real, on_fake = self.critic(torch.cat([batch.x, fake])).chunk(2)  # one pass: (2B, *shape) -> (2B,)
        # Data are to be called real with probability 1 - smoothing: softplus(v) = softplus(-v) + v.
        return {"critic": losses.classification(on_real, on_fake) + self.smoothing * on_real.mean()}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"generator": self.generator_loss(self.critic(fake))}

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """A lower bound of the divergence in nats whatever the critic: (n, *shape), (n, *shape) -> ()"""
        return math.log(2) - 0.5 * losses.classification(self.critic(real), self.critic(fake))

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
