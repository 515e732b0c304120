"""Data and nets that more than one test file makes."""

import torch
from torch import Tensor, nn

from benchmarks.datasets import Split
from pipeline.data import Data


def levels(n: int, seed: int, channels: int = 1, top: int = 256) -> Tensor:
    """Random images (n, C, 8, 8) of so many levels."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, top, (n, channels, 8, 8), generator=rng, dtype=torch.uint8)


def as_input(x: Tensor, top: int = 256) -> Tensor:
    """What the pipeline makes of levels."""
    return Data(Split(x), Split(x), Split(x), levels=top).as_input(x)


def points(n: int, seed: int, dims: int = 2) -> Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed))


class Affine(nn.Module):
    """x -> slope * x + shift"""

    def __init__(self, slope: float, shift: float) -> None:
        super().__init__()
        self.slope, self.shift = nn.Parameter(torch.tensor(slope)), nn.Parameter(torch.tensor(shift))

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x + self.shift
