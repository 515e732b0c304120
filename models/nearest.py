"""The nearest neighbour: a datum is translated as the training partner that is most like it was.

Cover, Hart, "Nearest Neighbor Pattern Classification", IEEE Transactions on Information Theory 13, 1967
(doi:10.1109/TIT.1967.1053964).

Departure: theirs gives the neighbour's class, here it is the neighbour's partner. The distance is Euclidean; of equally
near ones the first counts. It has no players and takes no steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.protocol import Batch, Move, Spec

AT_ONCE = 2**22  # distances that are computed at once


class Model(nn.Module):
    given = "partner"
    needs: Literal["pairs"] = "pairs"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        check.partner(spec, model="nearest")
        self.shape, self.size = spec.shape, math.prod(spec.partner)
        numbers = self.size + math.prod(spec.shape)
        self.pairs: Tensor = nn.Buffer(torch.zeros(1, numbers), persistent=False)  # (M, partner, x), M unknown so far

    def get_extra_state(self) -> Tensor:
        return self.pairs

    def set_extra_state(self, state: Tensor) -> None:
        self.pairs = state.to(self.pairs)

    def optimizers(self) -> dict[str, Optimizer]:
        return {}

    def moves(self, step: int) -> Sequence[Move]:
        return []

    def finish(self, batches: Iterable[Batch]) -> None:
        sides = [(check.told(batch.partner, "partner").flatten(1), batch.x.flatten(1)) for batch in batches]
        self.pairs = torch.cat([torch.cat(pair, 1) for pair in sides])

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        parts = check.partners(given, n).split(max(1, AT_ONCE // len(self.pairs)))
        found = self.pairs[torch.cat([self.nearest(part) for part in parts])]
        return found[:, self.size :].unflatten(1, self.shape)  # (n, *partner) -> (n, *shape)

    def nearest(self, partner: Tensor) -> Tensor:
        """(B, *partner) -> (B,) which of the training pairs"""
        known = self.pairs[:, : self.size]
        return torch.cdist(partner.flatten(1), known, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
