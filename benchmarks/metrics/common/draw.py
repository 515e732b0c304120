"""A part of a set, by lot."""

import torch
from torch import Tensor


def draw(x: Tensor, n: int) -> Tensor:
    """Indices of ``n`` samples of x (N, ...), or of all where there are fewer, chosen by chance and without repeats.

    The lots fall on places and are the same for every set of N: samples that move a little remain chosen.
    """
    return torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:n].to(x.device)
