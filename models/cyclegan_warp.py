"""CycleGAN of several translators that move pixels; those that fool the critics weigh more, in the end one is left.

Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017,
arXiv:1703.10593, equations 1 to 3, least squares; its section 6 names changes of shape as what its generators fail at.
Convolutions move nothing far, so the generators here are spatial transformers (`models.common.warps`). Which turn they
come to hangs on where they begin, but a wrong one has the larger loss: so `count` begin anywhere, as a mixture whose
weights are learned by the same loss: Arora, Ge, Liang, Ma, Zhang, "Generalization and Equilibrium in Generative
Adversarial Nets", 2017, arXiv:1703.00573, section 5 (MIX+GAN).

Departure: one critic a domain, of whole images, shown a translation each by a translator drawn by its weight; no
entropy keeps weights apart, since one translator is wanted, and the weightiest translates. A translator and its way
back share a weight. No identity loss, no pool; the cycle weighs 1, not 10, and rates are 0.01 and 0.001, since few
numbers are learned. Critics see through noise that ceases, as in `cyclegan`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.nets import Net, mlp
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.warps import Warps, turns


class Model(nn.Module):
    given = "partner"

    def __init__(
        self,
        spec: Spec,
        *,
        count: int = 8,
        cycle: float = 1.0,
        blur: float = 1.0,
        blurred: int = 500,
        lr: float = 0.01,
        critic_lr: float = 0.001,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 64,
        depth: int = 2,
    ) -> None:
        super().__init__()
        check.images(spec, model="cyclegan_warp")
        check.partner(spec, model="cyclegan_warp")
        check.at_least(1, count=count, blurred=blurred, width=width, depth=depth)
        check.at_least(0, cycle=cycle, blur=blur)
        check.positive(lr=lr, critic_lr=critic_lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.cycle, self.blur, self.blurred = cycle, blur, blurred
        self.lr, self.critic_lr, self.betas = lr, critic_lr, (beta1, beta2)
        maps = turns(count)
        self.there = Warps(spec.partner, spec.shape, maps)
        self.back = Warps(spec.shape, spec.partner, maps.transpose(1, 2))  # what is turned is turned back
        self.share = nn.Parameter(torch.zeros(count))  # of each in the mixture, before the softmax
        self.critic, self.critic_of_partners = (
            Net(nn.Flatten(), mlp(torch.Size(shape).numel(), 1, width, depth), nn.Flatten(0))
            for shape in (spec.shape, spec.partner)
        )

    def optimizers(self) -> dict[str, Optimizer]:
        generators = [*self.there.parameters(), *self.back.parameters(), self.share]
        critics = [*self.critic.parameters(), *self.critic_of_partners.parameters()]
        return {
            "generators": adam(generators, self.lr, self.betas),
            "critics": adam(critics, self.critic_lr, self.betas),
        }

    def moves(self, step: int) -> Sequence[Move]:
        return [self.joint_move]

    def joint_move(self, batch: Batch) -> Losses:
        x, partner = batch.x[:, None], check.told(batch.partner, "partner")[:, None]  # (B, 1, *shape)
        to_x, to_partner = self.there(partner), self.back(x)  # (B, K, *shape)
        error = off(self.back(to_x), partner) + off(self.there(to_partner), x)  # (K,)
        left = self.blur * (1 - check.told(batch.step, "step").to(x.dtype) / self.blurred).clamp(min=0)
        fooled = self.fooled(self.critic, to_x, left) + self.fooled(self.critic_of_partners, to_partner, left)
        critics = told_apart(self.critic, x[:, 0], self.one_of(to_x), left)
        critics = critics + told_apart(self.critic_of_partners, partner[:, 0], self.one_of(to_partner), left)
        return {"generators": (self.share.softmax(0) * (fooled + self.cycle * error)).sum(), "critics": critics}

    def fooled(self, judge: nn.Module, fake: Tensor, left: Tensor) -> Tensor:
        """What each translator lessens: (B, K, *shape) -> (K,)"""
        return (seen(judge, fake.flatten(0, 1), left) - 1).square().view(fake.shape[:2]).mean(0)

    def one_of(self, fake: Tensor) -> Tensor:
        """A translation each, by a translator drawn by its weight: (B, K, *shape) -> (B, *shape)"""
        with torch.no_grad():
            waits = -torch.rand(fake.shape[:2], device=fake.device).log() / self.share.softmax(0)
            return fake[torch.arange(len(fake), device=fake.device), waits.argmin(1)]

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.weightiest(self.there, check.partners(given, n))  # (n, *partner) -> (n, *shape)

    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        return self.weightiest(self.back, x)  # (B, *shape) -> (B, *partner)

    def weightiest(self, warps: Warps, x: Tensor) -> Tensor:
        return warps(x[:, None])[:, self.share.argmax()].clamp(-1, 1)


def off(found: Tensor, x: Tensor) -> Tensor:
    """Mean absolute error of each translator: (B, K, *shape), (B, 1, *shape) -> (K,)"""
    return (found - x).abs().transpose(0, 1).flatten(1).mean(1)


def seen(judge: nn.Module, x: Tensor, left: Tensor) -> Tensor:
    """A critic's scores of images through noise: (B, *shape) -> (B,)"""
    return judge(x + left * torch.randn_like(x))


def told_apart(judge: nn.Module, real: Tensor, fake: Tensor, left: Tensor) -> Tensor:
    """What a critic lessens."""
    return 0.5 * ((seen(judge, real, left) - 1).square().mean() + seen(judge, fake, left).square().mean())
