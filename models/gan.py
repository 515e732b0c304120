"""The original GAN: a generator against a critic that tells its samples from data.

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio, "Generative Adversarial Networks", 2014,
arXiv:1406.2661, Algorithm 1 with k = 1.

Departure: the nets and Adam settings of DCGAN (arXiv:1511.06434) in place of maxout nets and momentum; Gaussian
noise; the paper's discriminator is called critic, as in the other models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Adam, Optimizer

from models.common import check, losses
from models.common.nets import decoder, noise, scorer
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        loss: Literal["non_saturating", "minimax"] = "non_saturating",
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
        generator_losses = {"non_saturating": losses.non_saturating, "minimax": losses.minimax}
        if loss not in generator_losses:
            raise ValueError(f"loss = {loss!r}: must be one of {', '.join(generator_losses)}")
        self.latent, self.lr, self.betas = latent, lr, (beta1, beta2)
        self.generator_loss = generator_losses[loss]
        self.generator = decoder(spec, latent, width=width, depth=depth)
        self.critic = scorer(spec, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: Adam(net.parameters(), self.lr, self.betas, fused=True) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        on_real, on_fake = self.critic(torch.cat([batch.x, fake])).chunk(2)  # one pass: (2B, *shape) -> (2B,)
        return {"critic": losses.classification(on_real, on_fake)}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"generator": self.generator_loss(self.critic(fake))}

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
