"""Flow matching: a net learns the velocity of points that move straight from noise to data, and is then followed.

Lipman, Chen, Ben-Hamu, Nickel, Le, "Flow Matching for Generative Modeling", 2022, arXiv:2210.02747, equations 20 to 23.
`coupling = ot`: Tong, Fatras, Malkin, Huguet, Zhang, Rector-Brooks, Wolf, Bengio, "Improving and Generalizing
Flow-Based Generative Models with Minibatch Optimal Transport", 2023, arXiv:2302.00482, algorithm 3. Classifier-free
guidance: arXiv:2207.12598.

Departure: sigma_min = 0; the midpoint method in place of an adaptive solver; small nets (`models.common.timed`) without
attention and dropout; gradients are clipped to a norm of 1, as in rectified flow's code; the divergence is exact, and
discrete data are dequantised uniformly, in training, too. The assignment of noise to data is one that `rounds` of swaps
come to (`models.common.assignment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from models.common import check
from models.common.assignment import assigned
from models.common.matching import Matching
from models.common.protocol import Batch, Losses, Move, Spec


class Model(Matching):
    def __init__(
        self,
        spec: Spec,
        *,
        coupling: Literal["independent", "ot"] = "independent",
        rounds: int = 128,
        lr: float = 5e-4,
        **base: Any,
    ) -> None:
        super().__init__(spec, lr=lr, **base)
        check.one_of(("independent", "ot"), coupling=coupling)
        check.at_least(1, rounds=rounds)
        if coupling == "ot" and self.classes:
            raise ValueError("coupling = 'ot': it ties noise to labels, which sampling does not; use independent")
        self.rounds = rounds if coupling == "ot" else 0

    def moves(self, step: int) -> Sequence[Move]:
        return [self.matching_move]

    def matching_move(self, batch: Batch) -> Losses:
        data = self.data(batch)
        noise = assigned(torch.randn_like(data), data, self.rounds)
        return self.matching_loss(noise, data, self.label(batch))
