"""pix2pix: a translation near the true one that a critic, who sees both sides, takes for it.

Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks", 2016, arXiv:1611.07004,
equations 1, 3 and 4 with lambda = 100: the critic moves first and its objective is halved, the generator lessens the
non-saturating loss, and its only chance is dropout, which stays when it is sampled.

Departure: images are small: the U-Net has as many levels as halvings lead to one pixel or an odd side, and drops out
within all but the largest, or where that leaves no place (28x28 has two levels) in what enters the last doubling; the
critic's patches are 12 pixels wide, without normalisation; when sampled, batch normalisation takes its means from
training, not from what is translated; the initialisation is PyTorch's. Points get an MLP whose correction is added to
the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.translators import critic, of_pairs, u_net


class Model(nn.Module):
    given = "partner"
    needs: Literal["pairs"] = "pairs"

    def __init__(
        self,
        spec: Spec,
        *,
        l1: float = 100.0,
        dropout: float = 0.5,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.partner(spec, model="pix2pix")
        check.at_least(0, l1=l1)
        check.positive(lr=lr)
        check.decay(dropout=dropout, beta1=beta1, beta2=beta2)
        self.l1, self.lr, self.betas = l1, lr, (beta1, beta2)
        self.generator = u_net(spec.partner, spec.shape, width=width, depth=depth, dropout=dropout)
        self.critic = critic(of_pairs(spec), width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def scores(self, partner: Tensor, x: Tensor) -> Tensor:
        return self.critic(torch.cat([partner, x], 1))  # (B, *partner), (B, *shape) -> (B, patches)

    def critic_move(self, batch: Batch) -> Losses:
        partner = check.told(batch.partner, "partner")
        with torch.no_grad():
            fake = self.generator(partner)  # (B, *partner) -> (B, *shape)
        on_real, on_fake = self.scores(torch.cat([partner] * 2), torch.cat([batch.x, fake])).chunk(2)
        return {"critic": 0.5 * losses.classification(on_real, on_fake)}

    def generator_move(self, batch: Batch) -> Losses:
        partner = check.told(batch.partner, "partner")
        fake = self.generator(partner)  # (B, *partner) -> (B, *shape)
        error = F.l1_loss(fake, batch.x)
        return {"generator": losses.non_saturating(self.scores(partner, fake)) + self.l1 * error}

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(check.partners(given, n), rng)  # (n, *partner) -> (n, *shape)
