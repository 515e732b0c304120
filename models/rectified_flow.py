"""Rectified flow: a flow that is straightened by training it anew on the pairs of noise and data that it makes itself.

Liu, Gong, Liu, "Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow", 2022,
arXiv:2209.03003, algorithm 1 with one reflow, equation 1.

Departure: as in flow matching (`models.common.matching`). The first `first` steps match flows, the others straighten;
`pairs` of them are made once between the two, by the averaged weights with `pair_evaluations` of the net each. Without
these others, before the first `first` steps are over, the model is flow matching.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from models.common import check
from models.common.matching import Matching
from models.common.protocol import Batch, Losses, Move, Spec

PART = 2_000  # pairs that are made at once


class Model(Matching):
    def __init__(
        self,
        spec: Spec,
        *,
        first: int = 5000,
        pairs: int = 20_000,
        pair_evaluations: int = 64,
        lr: float = 2e-4,
        **base: Any,
    ) -> None:
        super().__init__(spec, lr=lr, **base)
        check.at_least(1, first=first, pairs=pairs, pair_evaluations=pair_evaluations)
        if self.classes:
            raise ValueError("conditional = True: the pairs of rectified_flow have no labels; use flow_matching")
        self.first, self.pair_evaluations = first, pair_evaluations
        self.noise, self.made = (nn.Buffer(torch.zeros(pairs, *spec.shape)) for _ in range(2))

    def moves(self, step: int) -> Sequence[Move]:
        if step < self.first:
            return [self.matching_move]
        return [self.pairing_move if step == self.first else self.straightening_move]

    def matching_move(self, batch: Batch) -> Losses:
        data = self.data(batch)
        return self.matching_loss(torch.randn_like(data), data)

    def pairing_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            self.eval()  # asks the average
            self.noise.copy_(torch.randn_like(self.noise))
            parts = self.noise.split(PART)
            self.made.copy_(torch.cat([self.follow(part, asked=self.pair_evaluations) for part in parts]))
            self.train()
        return self.straightening_move(batch)

    def straightening_move(self, batch: Batch) -> Losses:
        drawn = torch.randint(len(self.made), (len(batch.x),), device=batch.x.device)
        return self.matching_loss(self.noise[drawn], self.made[drawn])
