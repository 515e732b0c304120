"""VEEGAN: a reconstructor that must find the noise again, so that the generator cannot forget what noise it was given.

Srivastava, Valkov, Russell, Gutmann, Sutton, "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational
Learning", 2017, arXiv:1705.07761, Algorithm 1 with d(z, x) = -log p(z | x), p(z | x) a Gaussian around what the
reconstructor makes of x, with one variance that it learns: the gradients of all three players are taken before any of
them moves, and the reconstructor's is that of the autoencoder of noise alone. Of data, the critic is shown draws from
p(z | x): their means are shorter than noise is, and would give data away by their norm alone. Nothing asks the
reconstructor for such draws as look like noise. With `joint` it lessens what the critic makes of data, too, as the
encoder does in Donahue et al., "Adversarial Feature Learning", 2016, arXiv:1605.09782.

Departure: scores are high for data, so that the paper's critic, the log ratio of generated pairs to data's, is minus
this one; the nets and Adam settings of DCGAN (arXiv:1511.06434).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.codes import Code
from models.common.joint import JointCritic
from models.common.nets import decoder, encoder
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.repair import alternate


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        joint: bool = False,
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
        self.latent, self.joint, self.lr, self.betas = latent, joint, lr, (beta1, beta2)
        self.generator = decoder(spec, latent, width=width, depth=depth)
        self.reconstructor = encoder(spec, latent, width=width, depth=depth)
        self.log_variance = nn.Parameter(torch.zeros(()))  # of p(z | x); at first p(z)'s
        self.critic = JointCritic(spec, latent, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players: dict[str, Iterable[Tensor]]
        players = {"generator": self.generator.parameters(), "critic": self.critic.parameters()}
        players["reconstructor"] = chain(self.reconstructor.parameters(), [self.log_variance])
        return {name: adam(owned, self.lr, self.betas) for name, owned in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.joint_move]

    def joint_move(self, batch: Batch) -> Losses:
        z = noise(len(batch.x), self.latent, batch.x)  # (B, latent)
        fake = self.generator(z)  # (B, latent) -> (B, *shape)
        with torch.set_grad_enabled(self.joint):
            code = self.posterior(batch.x).draw()  # (B, *shape) -> (B, latent)
        on_real, on_fake = self.critic(torch.cat([batch.x, fake]), torch.cat([code, z])).chunk(2)  # one pass: (2B,)
        distance = -self.posterior(fake).log_prob(z).mean()
        return {
            "critic": losses.classification(on_real, on_fake),
            "reconstructor": distance + on_real.mean() if self.joint else distance,
            "generator": distance - on_fake.mean(),
        }

    def posterior(self, x: Tensor) -> Code:
        """p(z | x): (B, *shape) -> (B, latent) each"""
        mean = self.encode(x)
        return Code(mean, self.log_variance.expand_as(mean))

    def encode(self, x: Tensor) -> Tensor:
        return self.reconstructor(x)  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.generator(z)  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        return alternate(lambda filled: self.decode(self.posterior(filled).draw(rng)), x, mask, rng)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
