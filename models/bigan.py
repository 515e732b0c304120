"""The bidirectional GAN: an encoder beside the generator, and a critic of pairs of data and codes.

Donahue, Krahenbuhl, Darrell, "Adversarial Feature Learning", 2016, arXiv:1605.09782, with the labels swapped for the
encoder and the generator, as the code published with it (github.com/jeffdonahue/bigan) trains them. The same game with
a stochastic encoder is Dumoulin et al., "Adversarially Learned Inference", 2016, arXiv:1606.00704.

Departure: Gaussian noise in place of uniform; the nets and Adam settings of DCGAN (arXiv:1511.06434) without weight
decay. Encoder and generator share one objective; it is a sum of a part for each, so that each player gets its own.
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
        latent: int = 50,
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
        self.encoder = encoder(spec, latent, width=width, depth=depth)
        self.critic = JointCritic(spec, latent, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "encoder": self.encoder, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.joint_move]

    def critic_move(self, batch: Batch) -> Losses:
        z = noise(len(batch.x), self.latent, batch.x)  # (B, latent)
        with torch.no_grad():
            fake, code = self.generator(z), self.encode(batch.x)  # (B, *shape), (B, latent)
        both = self.critic(torch.cat([batch.x, fake]), torch.cat([code, z]))  # one pass: (2B,)
        on_real, on_fake = both.chunk(2)
        return {"critic": losses.classification(on_real, on_fake)}

    def joint_move(self, batch: Batch) -> Losses:
        z = noise(len(batch.x), self.latent, batch.x)  # (B, latent)
        return {
            "generator": losses.non_saturating(self.critic(self.generator(z), z)),
            "encoder": losses.non_saturating(-self.critic(batch.x, self.encode(batch.x))),
        }

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.generator(z)  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
