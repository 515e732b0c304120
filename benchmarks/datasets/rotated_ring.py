"""Eight Gaussians on a circle, of unequal weight, and their image under a rotation and a shift.

J.-Y. Zhu, T. Park, P. Isola, A. A. Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", 2017, arXiv:1703.10593, Section 3, names what this makes visible: cycles are consistent for any one of the
ways to permute modes. The ring is that of L. Metz et al., "Unrolled Generative Adversarial Networks", 2016,
arXiv:1611.02163, Section 3.1.

The translation is known, x = R partner + shift. The weights are 1 to 8 in 36, so that the two domains alone, without
any pair, tell which mode is which. Neighbours are of unlike weight: the way that moves points least is a wrong one.

Departure: radius over sigma is 20, a fifth of the usual ring's, since the matter is where modes go.
"""

import math

import torch
from pydantic import PositiveFloat, PositiveInt

from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits, Truth, drawn_from
from benchmarks.datasets.common.translation import with_partners

WEIGHTS = (1, 5, 2, 8, 3, 6, 4, 7)  # of 36
SHIFT = (1.0, -0.5)


def load(
    *,
    radius: PositiveFloat = 2.0,
    sigma: PositiveFloat = 0.1,
    degrees: float = 30.0,
    train: PositiveInt = 20_000,
    validation: PositiveInt = 2_000,
    test: PositiveInt = 10_000,
    seed: Seed = 0,
) -> Splits:
    angles = 2 * math.pi * torch.arange(len(WEIGHTS), dtype=torch.float64) / len(WEIGHTS) + math.radians(degrees)
    shift = torch.tensor(SHIFT, dtype=torch.float64)
    centres = radius * torch.stack([angles.cos(), angles.sin()], dim=1) + shift  # (8, 2)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    truth = Truth(centres.float(), sigma, (weights / weights.sum()).float())
    turn = rotation(math.radians(degrees))
    # Rows, so that the inverse R^T of the rotation stands on the right as R.
    return with_partners(
        drawn_from(truth, (train, validation, test), seed), lambda x: ((x.double() - shift) @ turn).float()
    )


def rotation(angle: float) -> torch.Tensor:
    """(2, 2) float64, against the clock"""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
