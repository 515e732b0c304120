"""Convolutional LSTMs: one net takes in the frames that are seen, another begins with its states and tells the rest.

X. Shi, Z. Chen, H. Wang, D.-Y. Yeung, W.-c. Wong, W.-c. Woo, "Convolutional LSTM Network: A Machine Learning Approach
for Precipitation Nowcasting", 2015, arXiv:1506.04214: cells are equation 3, with peepholes, the encoding and the
forecasting net figure 3, frames are cut into patches, and all states of the forecasting net give a frame through a 1x1
convolution. The forecasting net sees no frame, its own or true: a prediction is a function of what is seen. Pixels are
seen in [0, 1], so that black says nothing, and the loss is their cross-entropy (section 4.1), which is the likelihood
of levels that are binomial, over their number and but for a constant.

Departure: so a likelihood is stated, which is exact. Adam in place of RMSProp, small nets; gates to forget begin with a
bias of 1 (Jozefowicz, Zaremba, Sutskever, "An Empirical Exploration of Recurrent Network Architectures", 2015). Where
several things may come a prediction is their mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec

Weather = tuple[Tensor, Tensor]  # h and c, (B, width, H, W) each


class Cell(nn.Module):
    """Equation 3; a layer of a forecasting net has nothing below it if it is the first."""

    def __init__(self, below: int, width: int, side: tuple[int, int]) -> None:
        super().__init__()
        self.gates = nn.Conv2d(below + width, 4 * width, 3, padding=1)
        assert self.gates.bias is not None
        nn.init.ones_(self.gates.bias[width : 2 * width])
        self.peep = nn.Parameter(torch.zeros(3, width, *side))

    def forward(self, x: Tensor | None, weather: Weather) -> Weather:
        h, c = weather
        write, forget, signal, show = self.gates(h if x is None else torch.cat([x, h], 1)).to(c.dtype).chunk(4, 1)
        c = (forget + self.peep[1] * c).sigmoid() * c + (write + self.peep[0] * c).sigmoid() * signal.tanh()
        return (show + self.peep[2] * c).sigmoid() * c.tanh(), c


class Model(nn.Module):
    given = "clip"
    bound = False

    def __init__(
        self,
        spec: Spec,
        *,
        patch: int = 2,
        width: int = 32,
        depth: int = 1,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        check.clips(spec, model="conv_lstm", seen=1)
        check.at_least(1, patch=patch, width=width, depth=depth)
        check.positive(lr=lr)
        (self.frames, channels, height, breadth), self.seen = spec.shape, spec.seen
        if height % patch or breadth % patch:
            raise ValueError(f"patch = {patch}: does not divide the sides of clips of shape {spec.shape}")
        self.evaluations = self.frames - self.seen
        self.last_level = spec.levels - 1
        self.patch, self.lr, self.size = patch, lr, (width, height // patch, breadth // patch)
        told, side = channels * patch**2, self.size[1:]
        below = [width] * (depth - 1)
        self.encoding = nn.ModuleList(Cell(each, width, side) for each in (told, *below))
        self.forecasting = nn.ModuleList(Cell(each, width, side) for each in (0, *below))
        self.out = nn.Conv2d(depth * width, told, 1)

    @property
    def estimator(self) -> str:
        return f"exact, of the frames after the first {self.seen}"

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": adam(self.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.likelihood_move]

    def likelihood_move(self, batch: Batch) -> Losses:
        return {"model": -self.log_prob(batch.x).mean()}

    def forecast(self, seen: Tensor) -> Tensor:
        """(B, seen, C, H, W) -> log odds of white (B, T - seen, C, H, W)"""
        nothing = seen.new_zeros(len(seen), *self.size)
        weather, told = [(nothing, nothing)] * len(self.encoding), []
        for x in F.pixel_unshuffle((seen + 1) / 2, self.patch).unbind(1):
            weather = pass_on(self.encoding, x, weather)
        for _ in range(self.frames - self.seen):
            weather = pass_on(self.forecasting, None, weather)
            told.append(torch.cat([h for h, _ in weather], 1))
        patches = self.out(torch.stack(told, 1).flatten(0, 1))
        return F.pixel_shuffle(patches, self.patch).to(seen.dtype).unflatten(0, (len(seen), -1))

    def log_prob(self, x: Tensor) -> Tensor:
        nats = binomial(x[:, self.seen :], self.forecast(x[:, : self.seen]), self.last_level)
        return nats.flatten(1).sum(1)  # (B, T, C, H, W) -> (B,)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        seen = check.told(given, "first frames of a clip")
        return torch.cat([seen, (self.forecast(seen) / 2).tanh()], 1)


def binomial(x: Tensor, odds: Tensor, n: int) -> Tensor:
    """log P of levels k = n (x + 1) / 2, each as many successes among n tries, whose log odds are given."""
    k = n * (x + 1) / 2
    ways = math.lgamma(n + 1) - (k + 1).lgamma() - (n - k + 1).lgamma()
    return ways + k * F.logsigmoid(odds) + (n - k) * F.logsigmoid(-odds)


def pass_on(cells: nn.ModuleList, x: Tensor | None, weather: list[Weather]) -> list[Weather]:
    """The states of all layers after one frame, each layer told the one below."""
    after = []
    for cell, before in zip(cells, weather, strict=True):
        after.append(cell(x, before))
        x = after[-1][0]
    return after
