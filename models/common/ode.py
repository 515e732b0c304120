"""Ordinary differential equations dx/dt = field(x, t): solved on a given grid, and the density that is carried
along.

Heun's method, second order: Karras, Aittala, Aila, Laine, "Elucidating the Design Space of Diffusion-Based Generative
Models", 2022, arXiv:2206.00364, algorithm 1. The density: Chen, Rubanova, Bettencourt, Duvenaud, "Neural Ordinary
Differential Equations", 2018, arXiv:1806.07366, theorem 1. Runge-Kutta there, since Heun's method needs four times the
divergences for as exact a density of eight sharp modes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from models.common import check

Field = Callable[[Tensor, Tensor], Tensor]  # x (B, *shape), t () -> (B, *shape)

NUMBERS = 2**15  # in one product with the Jacobian, for which a field's activations are held so many times


def solve(field: Field, x: Tensor, times: Tensor, *, euler_at_end: bool = False) -> Tensor:
    """Follow the field from times[0] to times[-1] (N + 1,), 2N evaluations of it; one less if the last step is Euler's,
    which does not ask for the field at its end."""
    last = len(times) - 2
    for step, (t, u) in enumerate(pairwise(times)):
        slope = field(x, t)
        ahead = x + (u - t) * slope
        if not (euler_at_end and step == last):
            ahead = x + (u - t) / 2 * (slope + field(ahead, u))
        x = ahead
    return x


def steps_of(evaluations: int) -> tuple[int, bool]:
    """How many steps of `solve` ask for the field so often, and whether the last is Euler's."""
    check.at_least(1, evaluations=evaluations)
    return (evaluations + 1) // 2, evaluations % 2 == 1


def expand(field: Field, x: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Follow it by the classical method of Runge and Kutta, and how much it expands space on the way: the integral of
    its divergence, by Simpson's rule. Fourth order, and two divergences a step, which are what takes long.

    (B, *shape) -> (B, *shape), (B,). The log-density at the start is that at the end, plus the expansion.
    """
    slope, divergence = with_divergence(field, x, times[0])
    expansion = torch.zeros_like(divergence)
    for t, u in pairwise(times):
        step, middle, before, at_start = u - t, (t + u) / 2, x, (slope, divergence)
        second = field(x + step / 2 * slope, middle)
        third = field(x + step / 2 * second, middle)
        x = x + step / 6 * (slope + 2 * second + 2 * third + field(x + step * third, u))
        slope, divergence = with_divergence(field, x, u)
        between = (before + x) / 2 + step / 8 * (at_start[0] - slope)  # of the cubic through both ends
        expansion = expansion + step / 6 * (at_start[1] + 4 * with_divergence(field, between, middle)[1] + divergence)
    return x, expansion


def with_divergence(field: Field, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The field and its divergence, exactly, by a product with the Jacobian for each dimension:
    (B, *shape) -> (B, *shape), (B,)"""
    slope: Tensor
    slope, pull = torch.func.vjp(lambda x: field(x, t), x)  # type: ignore[misc]  # three only where there is more
    basis = torch.eye(x[0].numel(), dtype=x.dtype, device=x.device)

    def diagonal(direction: Tensor) -> Tensor:
        (row,) = pull(direction.view_as(x[0]).expand_as(x))
        return (row.flatten(1) * direction).sum(1)

    divergence = torch.func.vmap(diagonal, chunk_size=max(1, NUMBERS // x.numel()))(basis).sum(0)
    return slope, divergence
