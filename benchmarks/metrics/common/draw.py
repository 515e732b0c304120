"""A part of a set, by lot."""

import torch
from torch import Tensor


def draw(x: Tensor, n: int) -> Tensor:
    """Indices of ``n`` samples of x (N, ...), or of all where there are fewer, chosen by chance and without repeats.

    The lots fall on places and are the same for every set of N: samples that move a little remain chosen.
    """
    return torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:n].to(x.device)


def equally_many(*sets: Tensor, most: int) -> tuple[Tensor, ...]:
    """As many samples of each set as the smallest one has, ``most`` at most, by lot."""
    n = min(most, *map(len, sets))
    return tuple(x if len(x) == n else x[draw(x, n)] for x in sets)
