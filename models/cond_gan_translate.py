"""A conditional GAN that translates with noise: one draw of all the translations that are true, where L1 would blur.

Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks", 2016, arXiv:1611.07004,
equation 1, the contestant "cGAN"; the mode-seeking term, without which it turns deaf to its noise: Mao, Lee, Tseng, Ma,
Yang, "Mode Seeking Generative Adversarial Networks for Diverse Image Synthesis", 2019, arXiv:1903.05628, equations 2
and 3, as in its code: two translations of each datum, and 1 / (ratio + 1e-5) is lessened.

Departure: `seeking` weighs that term; there is no L1 unless `l1` says so (their code has 100, on the first of the two
translations), and no dropout; the noise enters as constant planes at the first layer; the nets are those of pix2pix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.translators import beside, critic, of_pairs, u_net


class Model(nn.Module):
    given = "partner"
    needs: Literal["pairs"] = "pairs"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 8,
        seeking: float = 1.0,
        l1: float = 0.0,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.partner(spec, model="cond_gan_translate")
        check.at_least(1, latent=latent)
        check.at_least(0, seeking=seeking, l1=l1)
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.latent, self.seeking, self.l1, self.lr, self.betas = latent, seeking, l1, lr, (beta1, beta2)
        told = (spec.partner[0] + latent, *spec.partner[1:])
        self.generator = u_net(told, spec.shape, width=width, depth=depth)
        self.critic = critic(of_pairs(spec), width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def translate(self, partner: Tensor, z: Tensor) -> Tensor:
        return self.generator(beside(partner, z))  # (B, *partner), (B, latent) -> (B, *shape)

    def scores(self, partner: Tensor, x: Tensor) -> Tensor:
        return self.critic(torch.cat([partner, x], 1))  # (B, *partner), (B, *shape) -> (B, patches)

    def critic_move(self, batch: Batch) -> Losses:
        partner = check.told(batch.partner, "partner")
        with torch.no_grad():
            fake = self.translate(partner, noise(len(partner), self.latent, partner))
        on_real, on_fake = self.scores(torch.cat([partner] * 2), torch.cat([batch.x, fake])).chunk(2)
        return {"critic": losses.classification(on_real, on_fake)}

    def generator_move(self, batch: Batch) -> Losses:
        partner = torch.cat([check.told(batch.partner, "partner")] * 2)  # (2B, *partner)
        z = noise(len(partner), self.latent, partner)  # (2B, latent)
        fake = self.translate(partner, z)  # (2B, *shape)
        one, two = fake.chunk(2)
        loss = losses.non_saturating(self.scores(partner, fake)) + self.l1 * F.l1_loss(one, batch.x)
        return {"generator": loss + self.seeking * mode_seeking(one, two, *z.chunk(2))}

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        partner = check.partners(given, n)
        return self.translate(partner, noise(n, self.latent, partner, rng))  # (n, *partner) -> (n, *shape)


def mode_seeking(one: Tensor, two: Tensor, z_one: Tensor, z_two: Tensor) -> Tensor:
    """How little translations differ as their noise does: (B, *shape) twice, (B, latent) twice -> ()"""
    return 1 / ((one - two).abs().mean() / (z_one - z_two).abs().mean() + 1e-5)
