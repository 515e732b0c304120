"""PacGAN: a critic that judges several data at once sees when a generator repeats itself.

Lin, Khetan, Fanti, Oh, "PacGAN: The Power of Two Samples in Generative Adversarial Networks", 2017, arXiv:1712.04086:
`packing` data, all real or all generated, lie side by side at the critic's input, whose first layer alone is wider for
it. With packing = 1 it is `gan`.

Departure: the nets and Adam settings of DCGAN (arXiv:1511.06434), unless `nets` says pacgan. A batch of B makes
B / packing packs, so that a step sees as many data as one of any other model.
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

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        packing: int = 2,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        nets: Nets = "house",
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, packing=packing)
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.latent, self.packing, self.lr, self.betas = latent, packing, lr, (beta1, beta2)
        self.generator, self.critic = pair(spec, latent, nets=nets, width=width, depth=depth, packing=packing)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        both = torch.cat([self.pack(batch.x), self.pack(fake)])  # one pass: (2B / packing, *packed shape)
        on_real, on_fake = self.critic(both).chunk(2)
        return {"critic": losses.classification(on_real, on_fake)}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"generator": losses.non_saturating(self.critic(self.pack(fake)))}

    def pack(self, x: Tensor) -> Tensor:
        """Points lie end to end, images in channels: (B, C, ...) -> (B / packing, packing * C, ...)"""
        if len(x) % self.packing:
            raise ValueError(f"packing = {self.packing} does not divide a batch of {len(x)}: choose one that does")
        return x.unflatten(0, (-1, self.packing)).flatten(1, 2)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
