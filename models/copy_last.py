"""The last frame that was given, again and again: the floor of whoever predicts clips.

"Last input" in the tables of M. Mathieu, C. Couprie, Y. LeCun, "Deep multi-scale video prediction beyond mean square
error", 2015, arXiv:1511.05440.

Departure: none. It has no players and takes no steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.protocol import Move, Spec


class Model(nn.Module):
    given = "clip"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        check.clips(spec, model="copy_last", seen=1)
        self.frames = spec.shape[0]

    def optimizers(self) -> dict[str, Optimizer]:
        return {}

    def moves(self, step: int) -> Sequence[Move]:
        return []

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        seen = check.told(given, "first frames of a clip")  # (n, seen, C, H, W)
        rest = self.frames - seen.shape[1]
        return torch.cat([seen, seen[:, -1:].expand(-1, rest, -1, -1, -1)], 1)
