"""Samples counted at the modes of a known mixture; `benchmarks.metrics.modes` cites the papers."""

import torch
from torch import Tensor

from benchmarks.metrics.common.checks import check_mixture

RADIUS = 3  # sigmas within which a sample is of high quality
FIRM = 20  # high-quality samples that cover a mode for certain


def occupancy(*, fake: Tensor, centres: Tensor, sigma: float) -> Tensor:
    """How many high-quality samples are nearest to each centre."""
    check_mixture(fake=fake, centres=centres, sigma=sigma)
    counts = torch.zeros(len(centres), dtype=torch.int64, device=fake.device)
    for part in fake.split(max(1, 2**22 // len(centres))):
        # by differences, not by products: these cancel far from the origin
        distance = torch.cdist(part.double(), centres.double(), compute_mode="donot_use_mm_for_euclid_dist")
        near, mode = distance.min(dim=1)  # (n, K) -> (n,)
        counts += torch.bincount(mode[near < RADIUS * sigma], minlength=len(centres))
    return counts
