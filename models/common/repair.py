"""Holes in images, filled by a model that was not made for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor

ROUNDS = 30
REPAINTS = 5
Way = Callable[..., Tensor]  # x (B, C, H, W) and times -> (B, C, H, W)


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


def repaint(
    x: Tensor, mask: Tensor, noise: Tensor, times: Sequence[Any], *, noised: Way, step: Way, back: Way
) -> Tensor:
    """Fill what mask hides by a sampler that steps from noise at times[0] to data at times[-1], what is seen being
    `noised` as far as a step has come. Every step but the last is taken REPAINTS times, by way of noise added anew.

    Lugmayr et al., "RePaint: Inpainting Using Denoising Diffusion Probabilistic Models", 2022, arXiv:2201.09865,
    algorithm 1: noised(x, u), step(x, t, u) and back(x, u, t), which leads from u to the noisier t.
    x (B, C, H, W), mask (B, 1, H, W), True where observed -> (B, C, H, W), equal to x there.
    """
    check_mask(x, mask)
    for t, u in pairwise(times):
        for more in reversed(range(REPAINTS if u is not times[-1] else 1)):
            noise = torch.where(mask, noised(x, u), step(noise, t, u))
            if more:
                noise = back(noise, u, t)
    return noise
