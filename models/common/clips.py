"""What models of clips share: nets for single frames that may hand features past their code, and LSTMs over a clip.

The frames' nets are those of DCGAN (Radford, Metz, Chintala, 2015, arXiv:1511.06434) with the skips of E. Denton, R.
Fergus, "Stochastic Video Generation with a Learned Prior", 2018, arXiv:1802.07687, section 3.3: beside a code the
decoder sees what each halving left of an earlier frame, and need not be told what the thing looks like. The LSTM (S.
Hochreiter, J. Schmidhuber, 1997, doi:10.1162/neco.1997.9.8.1735) computes in `models.common.recurrence`.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.common import recurrence
from models.common.codes import Code
from models.common.layers import Double, FromPixels, Halve, ToPixels
from models.common.nets import pyramid
from models.common.protocol import Spec

AT_ONCE = 250  # clips whose frames are in memory when a bound is computed


def frame(spec: Spec) -> Spec:
    """What is known of a single frame of clips."""
    return Spec(spec.shape[1:], levels=spec.levels)


class FrameEncoder(nn.Module):
    """(B, C, H, W) -> a code (B, size) in [-1, 1], and what each halving left, the finest first"""

    def __init__(self, spec: Spec, size: int, width: int) -> None:
        super().__init__()
        channels, (height, breadth) = pyramid(spec, width)
        self.halvings = nn.ModuleList(
            nn.Sequential(Halve(wide, narrow), nn.BatchNorm2d(narrow), nn.LeakyReLU(0.2))
            for wide, narrow in pairwise(channels)
        )
        flat = nn.Linear(channels[-1] * height * breadth, size)
        self.head = nn.Sequential(FromPixels(), flat, nn.BatchNorm1d(size), nn.Tanh())

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        left, here = [], x
        for halving in self.halvings:
            here = halving(here)
            left.append(here)
        return self.head(here).to(x.dtype), left


class FrameDecoder(nn.Module):
    """(B, size) and, unless made without, what an encoder's halvings left -> (B, C, H, W), without bounds"""

    def __init__(self, spec: Spec, size: int, width: int, *, skips: bool) -> None:
        super().__init__()
        channels, (height, breadth) = pyramid(spec, width)
        first = (channels[-1], height, breadth)
        flat = nn.Linear(size, channels[-1] * height * breadth)
        self.first = nn.Sequential(flat, ToPixels(*first), nn.BatchNorm2d(channels[-1]), nn.LeakyReLU(0.2))
        steps = list(pairwise(reversed(channels)))
        doublings = [Double((1 + skips) * narrow, wide) for narrow, wide in steps]
        rest = [nn.Sequential(nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)) for _, wide in steps[:-1]]
        self.doublings, self.rest = nn.ModuleList(doublings), nn.ModuleList([*rest, nn.Identity()])

    def forward(self, code: Tensor, left: list[Tensor]) -> Tensor:
        here = self.first(code)
        for place, (double, rest) in enumerate(zip(self.doublings, self.rest, strict=True), 1):
            here = rest(double(torch.cat([here, left[-place]], 1) if left else here))
        return here.to(code.dtype)


class Lstm(nn.Module):
    """LSTM layers over a clip's features, all frames at once or one after the other, from learned first states."""

    def __init__(self, size: int, width: int, depth: int = 1) -> None:
        super().__init__()
        sizes = [size, *[width] * (depth - 1)]
        self.enter = nn.ModuleList(nn.Linear(each, 4 * width) for each in sizes)
        self.weight = nn.Parameter((torch.rand(depth, 1, width, 4 * width) * 2 - 1) / width**0.5)
        self.start = nn.Parameter(torch.zeros(depth, 2, 1, width))  # h and c

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, size) -> (B, T, width)"""
        with torch.autocast(x.device.type, enabled=False):
            return self.fused(x) if x.is_cpu else self.laid(x.transpose(0, 1)).transpose(0, 1)

    def fused(self, x: Tensor) -> Tensor:
        """As PyTorch computes it, which is twice as fast on a CPU."""
        weights = []
        for enter, weight in zip(self.enter, self.weight, strict=True):
            into, bias = (reordered(each) for each in enter.parameters())
            weights += [into, reordered(weight[0].T), bias, torch.zeros_like(bias)]
        h, c = self.first(len(x)).transpose(0, 1).contiguous()
        y, _, _ = torch.lstm(x, [h, c], weights, True, len(self.enter), 0.0, self.training, False, True)
        return y

    def laid(self, x: Tensor) -> Tensor:
        """As `models.common.recurrence` does, which can be recorded: (T, B, size) -> (T, B, width)"""
        way = (1, (0,), [(t, t + 1, 0, 1) for t in range(len(x))], x)  # one cell, which sees itself
        for enter, weight, start in zip(self.enter, self.weight, self.start, strict=True):
            x = recurrence.Recurrence.apply(enter(x)[None], weight, start, way)[0]
        return x

    def first(self, n: int) -> Tensor:
        """The states before the first frame: (depth, 2, n, width)"""
        return self.start.expand(-1, -1, n, -1)

    def step(self, x: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """(n, size) of one frame and the states before it -> (n, width), and the states after; not for training."""
        after = []
        for enter, weight, (h, c) in zip(self.enter, self.weight, states, strict=True):
            c, _, x = recurrence.cell(torch.addmm(enter(x), h, weight[0]), c)
            after.append(torch.stack([x, c]))
        return x, torch.stack(after)


class GaussianLstm(nn.Module):
    """A Gaussian over codes for every frame, from the features of the frames up to it."""

    def __init__(self, size: int, latent: int, width: int) -> None:
        super().__init__()
        self.lstm, self.head = Lstm(size, width), nn.Linear(width, 2 * latent)

    def forward(self, features: Tensor) -> Code:
        return self.law(self.lstm(features).flatten(0, 1), features)  # (B, T, size) -> (B * T, latent) each

    def law(self, h: Tensor, like: Tensor) -> Code:
        return Code(*self.head(h).to(like.dtype).chunk(2, 1))

    def step(self, features: Tensor, states: Tensor) -> tuple[Code, Tensor]:
        h, states = self.lstm.step(features, states)
        return self.law(h, features), states


def reordered(weight: Tensor) -> Tensor:
    """Gates in PyTorch's order: to write, forget, signal, show from signal, write, forget, show."""
    signal, write, forget, show = weight.chunk(4)
    return torch.cat([write, forget, signal, show])
