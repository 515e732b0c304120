"""The conditional GAN: both players see the label.

Mirza, Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv:1411.1784, equation 2.

Departure: the non-saturating generator loss, and the nets and Adam settings of DCGAN (arXiv:1511.06434) in place of
maxout nets and momentum; the label enters one-hot beside the noise and beside the data (on an image as constant
planes), without layers of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Adam, Optimizer

from models.common import check, losses
from models.common.nets import decoder, noise, scorer, with_classes, with_label
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "label"

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
        self.latent, self.classes, self.lr, self.betas = latent, spec.classes, lr, (beta1, beta2)
        self.critic = scorer(with_classes(spec), width=width, depth=depth)
        self.generator = decoder(spec, latent + spec.classes, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: Adam(net.parameters(), self.lr, self.betas, fused=True) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generate(noise(len(batch.x), self.latent, batch.x), batch.label)
        both = self.score(torch.cat([batch.x, fake]), batch.label.repeat(2))  # one pass: (2B, *shape), (2B,) -> (2B,)
        on_real, on_fake = both.chunk(2)
        return {"critic": losses.classification(on_real, on_fake)}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generate(noise(len(batch.x), self.latent, batch.x), batch.label)
        return {"generator": losses.non_saturating(self.score(fake, batch.label))}

    def generate(self, z: Tensor, label: Tensor) -> Tensor:
        return self.generator(with_label(z, label, self.classes))  # (B, latent), (B,) -> (B, *shape)

    def score(self, x: Tensor, label: Tensor) -> Tensor:
        return self.critic(with_label(x, label, self.classes))  # (B, *shape), (B,) -> (B,)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        if given is None or len(given) != n:
            raise ValueError(f"{n} samples of cgan need {n} labels, given are {given if given is None else len(given)}")
        return self.generate(noise(n, self.latent, next(self.parameters()), rng), given)  # (n, latent) -> (n, *shape)
