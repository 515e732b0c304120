"""Ordinary differential equations dx/dt = field(x, t): solved on a given grid, and the density that is carried
along.

Heun's method, second order: Karras, Aittala, Aila, Laine, "Elucidating the Design Space of Diffusion-Based Generative
Models", 2022, arXiv:2206.00364, algorithm 1. The density: Chen, Rubanova, Bettencourt, Duvenaud, "Neural Ordinary
Differential Equations", 2018, arXiv:1806.07366, theorem 1. On digits its 16 divergences tell as
much as 33 by Simpson's rule. Of large images a divergence is estimated without bias by a random probe: Grathwohl, Chen,
Bettencourt, Sutskever, Duvenaud, "FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models",
2018, arXiv:1810.01367, equation 7, with Rademacher's noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from numpy.polynomial.legendre import leggauss
from torch import Generator, Tensor

EXACT = 256  # dimensions of the largest data whose divergences are exact: each takes as many products with the Jacobian
FEW = 16  # the same where a rough likelihood will do
Field = Callable[[Tensor, Tensor], Tensor]  # x (B, *shape), t () -> (B, *shape)
Step = Callable[[Field, Tensor, Tensor, Tensor], Tensor]  # field, x (B, *shape), t (), u () -> x of time u

NUMBERS = 2**15  # in one product with the Jacobian, for which a field's activations are held so many times


def euler(field: Field, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
    return x + (u - t) * field(x, t)


def midpoint(field: Field, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
    half = (t + u) / 2
    return x + (u - t) * field(euler(field, x, t, half), half)


def heun(field: Field, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
    slope = field(x, t)
    return x + (u - t) / 2 * (slope + field(x + (u - t) * slope, u))


def walk(step: Step, field: Field, x: Tensor, times: Tensor) -> Tensor:
    """Where the field takes x from the first time to the last, a step from each to the next."""
    for t, u in pairwise(times):
        x = step(field, x, t, u)
    return x


def expand(
    field: Field, x: Tensor, time: Callable[[Tensor], Tensor], nodes: int, exact: int = EXACT
) -> tuple[Tensor, Tensor]:
    """Follow it from time(0) to time(1), and how much it expands space on the way: the integral of its divergence, by
    Gauss and Legendre's rule of so many nodes, since divergences are what takes long. Between them two steps of the
    classical method of Runge and Kutta. Data of more than ``exact`` dimensions have a probe for each divergence, the
    same ones whenever they are asked for.

    (B, *shape) -> (B, *shape), (B,). The log-density at the start is that at the end, plus the expansion.
    """
    places, weights = (torch.from_numpy(array).to(x) / 2 for array in leggauss(nodes))  # of -1 to 1
    places, expansion = places + 0.5, x.new_zeros(len(x))
    times, pull = torch.func.vjp(time, places)  # type: ignore[misc]  # three only where there is more
    (speeds,) = pull(torch.ones_like(places))
    ends = torch.cat([places.new_zeros(1), places, places.new_ones(1)])
    rng = Generator(x.device).manual_seed(0) if x[0].numel() > exact else None
    for (first, last), t, weight in zip(pairwise(ends[:-1]), times, weights * speeds, strict=True):
        x = runge_kutta(field, x, time(torch.stack([first, (first + last) / 2, last])))
        divergence = with_divergence(field, x, t)[1] if rng is None else probed(field, x, t, rng)
        expansion = expansion + weight * divergence
    return runge_kutta(field, x, time(ends[-2:])), expansion


def divergences(nodes: int, shape: tuple[int, ...]) -> str:
    """In words, those of data of that shape."""
    return f"{nodes} divergences" + ", each by one random probe" * (math.prod(shape) > EXACT)


def runge_kutta(field: Field, x: Tensor, times: Tensor) -> Tensor:
    for t, u in pairwise(times):
        step, middle = u - t, (t + u) / 2
        slope = field(x, t)
        second = field(x + step / 2 * slope, middle)
        third = field(x + step / 2 * second, middle)
        x = x + step / 6 * (slope + 2 * second + 2 * third + field(x + step * third, u))
    return x


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


def probed(field: Field, x: Tensor, t: Tensor, rng: Generator) -> Tensor:
    """An estimate of its divergence without bias, by one product of its Jacobian with signs by lot:
    (B, *shape) -> (B,)"""
    _, pull = torch.func.vjp(lambda x: field(x, t), x)  # type: ignore[misc]  # three only where there is more
    probe = torch.randint(2, x.shape, generator=rng, device=x.device).to(x.dtype) * 2 - 1
    (row,) = pull(probe)
    found: Tensor = (row * probe).flatten(1).sum(1)
    return found
