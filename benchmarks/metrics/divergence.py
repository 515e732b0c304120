"""KL, reverse KL and JS of points against the mixture of Gaussians that they should come from, in nats.

A GAN at its optimum lessens the JS of data and samples, I. Goodfellow et al., "Generative Adversarial Networks", 2014,
arXiv:1406.2661, Theorem 1; an f-GAN any of the three, S. Nowozin, B. Cseke, R. Tomioka, "f-GAN", 2016,
arXiv:1606.00709, Table 1. Here they are of the shares of two distributions in cubic cells of side sigma, one of them
centred on the origin. The truth's shares are exact, products of differences of the normal distribution function; those
of the samples are counted. The grid has no border: the cells without a sample can be taken together, so that nothing
lies outside and all shares add up to 1. On cells a divergence is at most what it is on the densities.

Where a cell is empty the KL of the truth from the samples is infinite. Departure: one more sample is counted, spread
as the truth is, so that an empty cell costs log(n + 1) for its share of the truth, and this KL is at most log(n + 1).
The reverse KL needs no such thing, the truth being positive everywhere; a sample d sigmas from any mode costs about
d^2 / 2. By chance alone samples of the truth score above 0: 0.014, 0.005 and 0.0013 with n = 50,000 in eight modes.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.special import log_ndtr

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_mixture
from benchmarks.metrics.common.histograms import jensen_shannon, uniform

TINY = torch.finfo(torch.float64).tiny
GRID = "on a grid of cells of side sigma over all generated points, nats"

COLUMNS = (
    Column(
        "density_kl", "KL (density)", "lower", 4, main=False,
        note=f"KL of the true density from the samples {GRID}; one further sample is spread as the truth is, so that "
        "empty cells cost log(n+1) and not infinity.",
    ),
    Column(
        "density_reverse_kl", "Reverse KL (density)", "lower", 4, main=False,
        note=f"KL of the samples from the true density {GRID}; a point d sigmas from its mode costs about d^2/2.",
    ),
    Column(
        "density_js", "JS (density)", "lower", 4, main=False,
        note=f"Jensen-Shannon divergence of the samples and the true density {GRID}; at most log 2 = 0.6931.",
    ),
)  # fmt: skip


class Divergences(NamedTuple):
    density_kl: float
    density_reverse_kl: float
    density_js: float


def score(
    *, fake: Tensor | None, centres: Tensor | None, sigma: float | None, weights: Tensor | None
) -> dict[str, float | None]:
    if fake is None or centres is None or sigma is None:
        return {column.name: None for column in COLUMNS}
    return divergences(fake=fake, centres=centres, sigma=sigma, weights=weights)._asdict()


def divergences(*, fake: Tensor, centres: Tensor, sigma: float, weights: Tensor | None = None) -> Divergences:
    """All three of samples (n, D) against the mixture of Gaussians around centres (K, D)."""
    check_mixture(fake=fake, centres=centres, sigma=sigma)
    cells, counts = (fake.double() / sigma + 0.5).floor().unique(dim=0, return_counts=True)  # (C, D), (C,)
    counts = counts.double()
    log_truth = log_mass(cells=cells, size=sigma, centres=centres, sigma=sigma, weights=weights)  # (C, D) -> (C,)
    truth = log_truth.exp()
    empty = (1 - truth.sum()).clamp_min(0).view(1)
    with_truth = torch.logaddexp(counts.log(), log_truth)  # over n + 1: an empty cell's is the truth's own
    return Divergences(
        ((truth * (log_truth - with_truth)).sum() + math.log(len(fake) + 1)).clamp_min(0).item(),
        kl((counts / len(fake)).log(), log_truth),
        jensen_shannon(torch.cat([truth, empty]), torch.cat([counts, torch.zeros_like(empty)])),
    )


def kl(log_p: Tensor, log_q: Tensor) -> float:
    """KL(p || q) of log shares (C,)."""
    return (log_p.exp() * (log_p - log_q)).sum().clamp_min(0).item()


def log_mass(*, cells: Tensor, size: float, centres: Tensor, sigma: float, weights: Tensor | None = None) -> Tensor:
    """Log share of the mixture in the cubes of side `size` around `size * cells`, exact however far off they lie."""
    shares = (uniform(centres) if weights is None else weights.double()).log().to(centres.device)
    parts = cells.split(2**20 // centres.numel())
    return torch.cat([_log_mass(part, size, centres.double(), sigma, shares) for part in parts])


def _log_mass(cells: Tensor, size: float, centres: Tensor, sigma: float, shares: Tensor) -> Tensor:
    offset = (size * cells[:, None] - centres).abs() / sigma  # (C, D), (K, D) -> (C, K, D)
    upper, lower = (log_ndtr(side * size / (2 * sigma) - offset) for side in (1, -1))
    # beyond 2^53 sigmas both ends of a cell are one number; `TINY` keeps the logarithm finite there
    side = upper + (lower - upper).clamp_max(-TINY).expm1().neg().log()
    return (side.sum(dim=2) + shares).logsumexp(dim=1)
