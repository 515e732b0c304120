"""The conditional GAN: both players see the label.

Mirza, Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv:1411.1784, equation 2. The projection critic:
Miyato, Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637.

Departure: the non-saturating generator loss, and the nets and Adam settings of DCGAN (arXiv:1511.06434) in place of
maxout nets and momentum; the label enters one-hot beside the noise and, with the critic called concatenation, beside
the data (on an image as constant planes), without layers of its own. The projection critic comes without the paper's
hinge loss, spectral normalisation and conditional batch normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.nets import Net, cut, decoder, encoder, scorer, with_classes, with_label
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Concatenation(nn.Module):
    """Scores of data with their label beside them."""

    def __init__(self, spec: Spec, *, width: int, depth: int) -> None:
        super().__init__()
        self.classes = spec.classes
        self.scores = scorer(with_classes(spec), width=width, depth=depth)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return self.scores(with_label(x, label, self.classes))  # (B, *shape), (B,) -> (B,)


class Projection(nn.Module):
    """psi(phi(x)) + <v_y, phi(x)>: a scorer cut before its last layer, and a vector v for each class y."""

    def __init__(self, spec: Spec, *, width: int, depth: int) -> None:
        super().__init__()
        self.phi, head = cut(encoder(spec, 1, width=width, depth=depth))
        self.psi = Net(head, nn.Flatten(0))
        self.vectors = nn.Embedding(spec.classes, head.in_features)
        nn.init.xavier_uniform_(self.vectors.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        features = self.phi(x)  # (B, *shape) -> (B, F)
        return self.psi(features) + (self.vectors(label) * features).sum(1)  # (B,)


class Model(nn.Module):
    given = "label"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        critic: Literal["concatenation", "projection"] = "concatenation",
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
        critics = {"concatenation": Concatenation, "projection": Projection}
        check.one_of(critics, critic=critic)
        with_classes(spec)  # refuses unlabelled data
        self.generator = decoder(spec, latent + spec.classes, width=width, depth=depth)
        self.critic = critics[critic](spec, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def critic_move(self, batch: Batch) -> Losses:
        label = check.told(batch.label)
        with torch.no_grad():
            fake = self.generate(noise(len(batch.x), self.latent, batch.x), label)
        both = self.critic(torch.cat([batch.x, fake]), label.repeat(2))  # one pass: (2B, *shape), (2B,) -> (2B,)
        on_real, on_fake = both.chunk(2)
        return {"critic": losses.classification(on_real, on_fake)}

    def generator_move(self, batch: Batch) -> Losses:
        label = check.told(batch.label)
        fake = self.generate(noise(len(batch.x), self.latent, batch.x), label)
        return {"generator": losses.non_saturating(self.critic(fake, label))}

    def generate(self, z: Tensor, label: Tensor) -> Tensor:
        return self.generator(with_label(z, label, self.classes))  # (B, latent), (B,) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        if given is None or len(given) != n:
            raise ValueError(f"{n} samples of cgan need {n} labels, given are {given if given is None else len(given)}")
        return self.generate(noise(n, self.latent, next(self.parameters()), rng), given)  # (n, latent) -> (n, *shape)
