"""Holes in images, filled by a model that was not made for it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

ROUNDS = 30


def check_mask(x: Tensor, mask: Tensor) -> None:
    """Raises ValueError unless mask says of every pixel of x, whatever its channels, whether it is observed."""
    if x.dim() != 4:
        raise ValueError(f"mask: only images can have holes, the data are of shape {tuple(x.shape[1:])}")
    fitting = (len(x), 1, *x.shape[2:])
    if tuple(mask.shape) != fitting or mask.dtype != torch.bool:
        given = f"{tuple(mask.shape)} of {mask.dtype}"
        raise ValueError(f"mask {given}: images {tuple(x.shape)} need a bool mask {fitting}, True where observed")


def alternate(redraw: Callable[[Tensor], Tensor], x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
    """Fill what mask hides by what `redraw` makes of the filled image, over and over, from uniform noise.

    Rezende, Mohamed, Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014,
    arXiv:1401.4082 (missing data): a Markov chain whose draws approach p(hidden | observed) as q(z | x) does p(z | x),
    if `redraw` draws from q(z | x) and then from p(x | z): a mean in place of a draw narrows what is filled.
    x (B, C, H, W), mask (B, 1, H, W), True where observed -> (B, C, H, W), equal to x there.
    """
    check_mask(x, mask)
    chance = torch.rand(x.shape, generator=rng, dtype=x.dtype, device=rng.device)
    filled = torch.where(mask, x, 2 * chance - 1)
    for _ in range(ROUNDS):
        filled = torch.where(mask, x, redraw(filled))
    return filled
