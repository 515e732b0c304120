"""A flow between two domains: a net learns the velocity of data that move straight from one to the other, those that go
together being found by minibatch optimal transport, and is then followed. No pair is shown.

Tong, Fatras, Malkin, Huguet, Zhang, Rector-Brooks, Wolf, Bengio, "Improving and Generalizing Flow-Based Generative
Models with Minibatch Optimal Transport", 2023, arXiv:2302.00482, algorithm 3 and proposition 3.4: with ever larger
minibatches the flow's end becomes the map that moves data least, in the sum of squares. Pooladian, Ben-Hamu,
Domingo-Enrich, Amos, Lipman, Chen, "Multisample Flow Matching: Straightening Flows with Minibatch Couplings", 2023,
arXiv:2304.14772. The way back is the same flow, followed from its end.

Departure: sigma = 0; the midpoint method in place of an adaptive solver; small nets (`models.common.timed`); pairs are
those of an assignment that `rounds` of swaps come to (`models.common.assignment`).
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from models.common import check
from models.common.assignment import assigned
from models.common.denoising import Denoising
from models.common.matching import straight_loss
from models.common.ode import euler, midpoint, walk
from models.common.protocol import Batch, Losses, Spec


class Model(Denoising):
    given = "partner"

    def __init__(
        self,
        spec: Spec,
        *,
        rounds: int = 128,
        evaluations: int = 16,
        ema: float = 0.999,
        lr: float = 1e-3,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        check.partner(spec, model="ot_map")
        if spec.partner != spec.shape:
            raise ValueError(
                f"ot_map moves data to data of one shape: choose domains whose shapes are not {spec.partner} and "
                f"{spec.shape}"
            )
        check.at_least(1, rounds=rounds, evaluations=evaluations)
        super().__init__(spec, ema=ema, lr=lr, width=width, depth=depth)
        self.rounds, self.asked = rounds, evaluations

    def denoising_move(self, batch: Batch) -> Losses:
        """E |v(x_t, t) - (x_1 - x_0)|^2 from partners x_0 to data x_1, t uniform."""
        end = batch.x
        start = assigned(check.told(batch.partner, "partner"), end, self.rounds)
        return straight_loss(self.ask, start, end)

    def asks(self, times: int) -> int:
        return max(1, times // 2 * 2)

    def follow(self, x: Tensor, first: float, last: float, asked: int) -> Tensor:
        """Where the flow takes x from one time to another; by a step of Euler's where it may ask once only."""
        step, cost = (midpoint, 2) if asked > 1 else (euler, 1)
        times = torch.linspace(first, last, asked // cost + 1, dtype=x.dtype, device=x.device)
        moved = walk(step, lambda x, t: self.ask(x, t.expand(len(x))), x, times)
        return self.bounded(moved)  # (B, *shape) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator, *, evaluations: int | None = None) -> Tensor:
        asked, _ = self.budget(evaluations)
        return self.follow(check.partners(given, n), 0, 1, asked)  # (n, *partner) -> (n, *shape)

    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        return self.follow(x, 1, 0, self.asked)  # (B, *shape) -> (B, *partner)
