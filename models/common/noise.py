"""Where noise comes from: a generator that is given, or torch's global one."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def noise(n: int, size: int, like: Tensor, rng: Generator | None = None) -> Tensor:
    """(n, size) standard normal, from rng on its device, or without one from torch's global generator on `like`'s."""
    return torch.randn(n, size, generator=rng, dtype=like.dtype, device=(rng or like).device)
