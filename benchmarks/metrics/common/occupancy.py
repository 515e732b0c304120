"""Samples counted at the modes of a known mixture; `benchmarks.metrics.modes` cites the papers."""

import torch
from torch import Tensor

from benchmarks.metrics.common.checks import check_mixture

RADIUS = 3  # sigmas within which a sample is of high quality
FIRM = 20  # high-quality samples that cover a mode for certain


def occupancy(*, fake: Tensor, centres: Tensor, sigma: float) -> Tensor:
    """How many high-quality samples are nearest to each centre."""
    check_mixture(fake=fake, centres=centres, sigma=sigma)
    far, mode = nearest_mode(fake, centres)
    return mode[far < RADIUS * sigma].bincount(minlength=len(centres))


def nearest_mode(x: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """The distance of each of x (n, D) to the nearest of centres (K, D), float64, and which that is."""
    found = [
        # by differences, not by products: these cancel far from the origin
        torch.cdist(part.double(), centres.double(), compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
        for part in x.split(max(1, 2**22 // len(centres)))
    ]
    return torch.cat([near for near, _ in found]), torch.cat([mode for _, mode in found])
