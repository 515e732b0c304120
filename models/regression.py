"""Regression on pairs: the translation that is nearest to the true one on average, and so blurs where many are true.

Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks", 2016, arXiv:1611.07004,
equation 3 and section 4.1, the contestant "L1 alone".

Departure: its net is pix2pix's without dropout, so that a translation has no chance in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.translators import u_net


class Model(nn.Module):
    given = "partner"
    needs: Literal["pairs"] = "pairs"

    def __init__(
        self,
        spec: Spec,
        *,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.partner(spec, model="regression")
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.lr, self.betas = lr, (beta1, beta2)
        self.translator = u_net(spec.partner, spec.shape, width=width, depth=depth)

    def optimizers(self) -> dict[str, Optimizer]:
        return {"translator": adam(self.parameters(), self.lr, self.betas)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.regression_move]

    def regression_move(self, batch: Batch) -> Losses:
        return {"translator": F.l1_loss(self.translator(check.told(batch.partner, "partner")), batch.x)}

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.translator(check.partners(given, n))  # (n, *partner) -> (n, *shape)
