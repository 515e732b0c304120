"""VEEGAN: a reconstructor that must find the noise again, so that the generator cannot forget what noise it was given.

Srivastava, Valkov, Russell, Gutmann, Sutton, "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational
Learning", 2017, arXiv:1705.07761, Algorithm 1 with squared distance of noises: the gradients of all three players are
taken before any of them moves, and the reconstructor's is that of the autoencoder of noise alone. What it makes of
data, it shows to the critic; nothing there asks it to make what looks like noise, so that the critic can tell data by
their codes. With `joint` it lessens what the critic makes of data, too, as the encoder does in Donahue et al.,
"Adversarial Feature Learning", 2016, arXiv:1605.09782.

Departure: scores are high for data, so that the paper's critic, the log ratio of generated pairs to data's, is minus
this one; the nets and Adam settings of DCGAN (arXiv:1511.06434).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.joint import JointCritic
from models.common.nets import decoder, encoder
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
        self.critic = JointCritic(spec, latent, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "reconstructor": self.reconstructor, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.joint_move]

    def joint_move(self, batch: Batch) -> Losses:
        z = noise(len(batch.x), self.latent, batch.x)  # (B, latent)
        fake = self.generator(z)  # (B, latent) -> (B, *shape)
        with torch.set_grad_enabled(self.joint):
            code = self.encode(batch.x)  # (B, *shape) -> (B, latent)
        on_real, on_fake = self.critic(torch.cat([batch.x, fake]), torch.cat([code, z])).chunk(2)  # one pass: (2B,)
        distance = (z - self.encode(fake)).square().sum(1).mean()
        return {
            "critic": losses.classification(on_real, on_fake),
            "reconstructor": distance + on_real.mean() if self.joint else distance,
            "generator": distance - on_fake.mean(),
        }

    def encode(self, x: Tensor) -> Tensor:
        return self.reconstructor(x)  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.generator(z)  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
