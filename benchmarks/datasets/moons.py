"""Eight Gaussians on a circle, to be translated to two moons: no datum has a partner of its own.

A. Tong et al., "Improving and generalizing flow-based generative models with minibatch optimal transport", 2023,
arXiv:2302.00482, Section 5.1, takes one to the other; so do, with the same numbers, those who followed: radius 5,
variance of a Gaussian the root of 0.1, moons of radius 3 with noise of 0.6, the middle moved by -1.
"""

import math

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import PARTS, Split, Splits, Truth, chance

CLASSES, PAIRED = 0, False
RADIUS, MODES, VARIANCE = 5.0, 8, 0.1**0.5
SCALE, SHIFT, NOISE = 3.0, -1.0, 0.2  # of the moons; the noise is scaled, too


def load(
    *, train: PositiveInt = 20_000, validation: PositiveInt = 2_000, test: PositiveInt = 10_000, seed: Seed = 0
) -> Splits:
    sizes = zip(PARTS, (train, validation, test), strict=True)
    first, second, third = (part(n, chance(name, seed), chance(f"partner/{name}", seed)) for name, n in sizes)
    return Splits(first, second, third)


def part(n: int, rng: Generator, of_partners: Generator) -> Split:
    moon = torch.randint(2, (n,), generator=rng)
    x = two_moons(moon, math.pi * torch.rand(n, generator=rng))
    x = SCALE * (x + NOISE * torch.randn(n, 2, generator=rng)) + SHIFT
    angles = 2 * math.pi * torch.arange(MODES) / MODES
    ring = Truth(RADIUS * torch.stack([angles.cos(), angles.sin()], dim=1), VARIANCE**0.5)
    return Split(x, partner=ring.sample(n, of_partners).x)


def two_moons(moon: Tensor, angle: Tensor) -> Tensor:
    """(n,) 0 or 1, (n,) in [0, pi] -> (n, 2): half of a circle, and the other half a radius to the right and half a one
    up."""
    sign = 1.0 - 2 * moon
    return torch.stack([sign * angle.cos() + moon, sign * angle.sin() + moon / 2], dim=1)
