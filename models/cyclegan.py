"""CycleGAN: two translations, there and back, learnt without pairs: each undoes the other, and looks like its domain.

Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017,
arXiv:1703.10593, equations 1 to 3 and section 4: least squares, critics that also see earlier translations, their
objective halved. The identity loss (section 5.2) weighs half as much as the cycle, as in the authors' code. As there,
critics are shown translations of before the generators' move; here both move at once, which is the same.

Departure: images are small: the generators neither halve nor double them, their first and last convolutions are 3x3
(there 7x7) and the first is not normalised, and the critics' patches are 12 pixels wide, without normalisation;
PyTorch's padding and initialisation. The mean of the least squares is over patches. Points get MLPs whose correction is
added to the point. Critics may be shown data and translations through noise (Sonderby, Caballero, Theis, Shi, Huszar,
"Amortised MAP Inference for Image Super-resolution", 2016, arXiv:1610.04490, section 3.2), `blur` wide at first and
none after `blurred` steps: they then weigh far modes against each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.optimizers import adam
from models.common.pool import Pool
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.translators import critic, resnet


class Model(nn.Module):
    given = "partner"

    def __init__(
        self,
        spec: Spec,
        *,
        cycle: float = 10.0,
        identity: float = 0.5,
        pool: int = 50,
        blur: float = 0.0,
        blurred: int = 1000,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.partner(spec, model="cyclegan")
        check.at_least(0, cycle=cycle, identity=identity, pool=pool, blur=blur)
        check.at_least(1, blurred=blurred)
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        if identity and spec.partner != spec.shape:
            raise ValueError(
                f"identity = {identity}: must be 0 where domains differ in shape, as {spec.partner} and {spec.shape} do"
            )
        self.cycle, self.identity, self.lr, self.betas = cycle, identity, lr, (beta1, beta2)
        self.blur, self.blurred = blur, blurred
        self.there = resnet(spec.partner, spec.shape, width=width, depth=depth)
        self.back = resnet(spec.shape, spec.partner, width=width, depth=depth)
        self.critic = critic(spec.shape, width=width, depth=depth)
        self.critic_of_partners = critic(spec.partner, width=width, depth=depth)
        self.pool, self.pool_of_partners = Pool(pool, spec.shape), Pool(pool, spec.partner)

    def optimizers(self) -> dict[str, Optimizer]:
        generators = [*self.there.parameters(), *self.back.parameters()]
        critics = [*self.critic.parameters(), *self.critic_of_partners.parameters()]
        return {
            "generators": adam(generators, self.lr, self.betas),
            "critics": adam(critics, self.lr, self.betas),
        }

    def moves(self, step: int) -> Sequence[Move]:
        return [self.joint_move]

    def joint_move(self, batch: Batch) -> Losses:
        x, partner = batch.x, check.told(batch.partner, "partner")
        to_x, to_partner = self.there(partner), self.back(x)
        cycle = F.l1_loss(self.back(to_x), partner) + F.l1_loss(self.there(to_partner), x)
        fooled = regress(self.seen(self.critic, to_x, batch), 1)
        fooled = fooled + regress(self.seen(self.critic_of_partners, to_partner, batch), 1)
        generators = fooled + self.cycle * (cycle + self.identity * self.kept(x, partner))
        critics = self.told_apart(self.critic, x, self.pool(to_x), batch)
        critics = critics + self.told_apart(self.critic_of_partners, partner, self.pool_of_partners(to_partner), batch)
        return {"generators": generators, "critics": critics}

    def kept(self, x: Tensor, partner: Tensor) -> Tensor | float:
        """How much each generator changes what is of its domain already."""
        if not self.identity:
            return 0.0
        return F.l1_loss(self.there(x), x) + F.l1_loss(self.back(partner), partner)

    def told_apart(self, judge: nn.Module, real: Tensor, fake: Tensor, batch: Batch) -> Tensor:
        """What a critic lessens."""
        return 0.5 * (regress(self.seen(judge, real, batch), 1) + regress(self.seen(judge, fake, batch), 0))

    def seen(self, judge: nn.Module, x: Tensor, batch: Batch) -> Tensor:
        """A critic's scores of what it sees of data: (B, *shape) -> (B, patches)"""
        if self.blur:
            left = 1 - check.told(batch.step, "step").to(x.dtype) / self.blurred
            x = x + self.blur * left.clamp(min=0) * torch.randn_like(x)
        return judge(x)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.there(check.partners(given, n))  # (n, *partner) -> (n, *shape)

    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        return self.back(x)  # (B, *shape) -> (B, *partner)


def regress(scores: Tensor, label: int) -> Tensor:
    return (scores - label).square().mean()
