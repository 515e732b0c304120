"""Eight Gaussians on a circle, labelled by mode.

L. Metz, B. Poole, D. Pfau, J. Sohl-Dickstein, "Unrolled Generative Adversarial Networks", 2016, arXiv:1611.02163,
Section 3.1. Radius over sigma is 100, as in Z. Lin, A. Khetan, G. Fanti, S. Oh, "PacGAN: The power of two samples in
generative adversarial networks", 2017, arXiv:1712.04086, Section 4.1, and like there 100,000 points are trained on.

Departure: radius 2 and sigma 0.02, where PacGAN has 1 and 0.01: the same ring, twice as large.
"""

import math

import torch
from pydantic import PositiveFloat, PositiveInt

from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits, Truth, drawn_from

MODES = 8


def load(
    *,
    radius: PositiveFloat = 2.0,
    sigma: PositiveFloat = 0.02,
    train: PositiveInt = 100_000,
    validation: PositiveInt = 10_000,
    test: PositiveInt = 100_000,
    seed: Seed = 0,
) -> Splits:
    angles = 2 * math.pi * torch.arange(MODES, dtype=torch.float64) / MODES  # no repeated end point
    centres = radius * torch.stack([angles.cos(), angles.sin()], dim=1)  # (8, 2)
    return drawn_from(Truth(centres.float(), sigma), (train, validation, test), seed)
