"""Twenty-five Gaussians on a square grid, labelled by mode.

Z. Lin, A. Khetan, G. Fanti, S. Oh, "PacGAN: The power of two samples in generative adversarial networks", 2017,
arXiv:1712.04086, Section 4.1: centres {-4, -2, 0, 2, 4}^2, sigma = 0.05 (variance 0.0025), 100,000 training points.
"""

import torch
from pydantic import PositiveFloat, PositiveInt

from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits, Truth, drawn_from

SIDE = 5


def load(
    *,
    spacing: PositiveFloat = 2.0,
    sigma: PositiveFloat = 0.05,
    train: PositiveInt = 100_000,
    validation: PositiveInt = 10_000,
    test: PositiveInt = 100_000,
    seed: Seed = 0,
) -> Splits:
    line = spacing * (torch.arange(SIDE) - SIDE // 2)  # -4, -2, 0, 2, 4
    centres = torch.cartesian_prod(line, line)  # (25, 2)
    return drawn_from(Truth(centres.float(), sigma), (train, validation, test), seed)
