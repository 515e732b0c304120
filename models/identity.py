"""No translation at all: each datum is given back as it is. What a score of a translation is worth starts here.

Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017,
arXiv:1703.10593, section 5.2, where generators are drawn to it.

Departure: there it is a loss, here a model. Grey images are given back as coloured ones whose channels are equal, and
coloured ones as their mean over channels. It has no players and takes no steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.protocol import Move, Spec


class Model(nn.Module):
    given = "partner"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        check.partner(spec, model="identity")
        if spec.partner[0] not in (1, spec.shape[0]):
            raise ValueError(f"identity needs domains of equal shape, the data are {spec.shape} and {spec.partner}")
        self.channels, self.of_partner = spec.shape[0], spec.partner[0]

    def optimizers(self) -> dict[str, Optimizer]:
        return {}

    def moves(self, step: int) -> Sequence[Move]:
        return []

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        x = check.partners(given, n)
        return x.expand(-1, self.channels, *x.shape[2:])  # (n, *partner) -> (n, *shape)

    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        return x if self.of_partner == self.channels else x.mean(1, keepdim=True)
