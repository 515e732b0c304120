"""Wasserstein distances between held-out and generated points, in units of the data.

W_p^p is the least mean cost |x - y|^p of moving one distribution onto the other. Between two sets of equally many
samples the best plan is a matching (G. Peyre, M. Cuturi, "Computational Optimal Transport", 2019, arXiv:1803.00567,
Section 2.2), which SciPy finds exactly; W1 is the distance that the critic of M. Arjovsky, S. Chintala, L. Bottou,
"Wasserstein GAN", 2017, arXiv:1701.07875, estimates. A matching of n samples costs n^3 at worst; sliced W2, the root
of the mean squared W2 of projections onto lines, costs n log n: J. Rabin, G. Peyre, J. Delon, M. Bernot, "Wasserstein
Barycenter and its Application to Texture Mixing", 2011; N. Bonneel, J. Rabin, G. Peyre, H. Pfister, "Sliced and Radon
Wasserstein Barycenters of Measures", 2015.
Departure: 1,000 samples of each set are matched and 10,000 of each sliced, drawn by lot; 128 lines, always the same.
Two draws of one distribution lie apart too, mostly by the chance of how many samples each mode gets: see the oracle.
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import draw

MATCHED = 1000  # samples of each set
SLICED = 10_000
LINES = 128

COLUMNS = (
    Column(
        "w1", "W1", "lower", 3,
        note="Exact Wasserstein-1 distance of 1,000 generated points from 1,000 held-out ones, in units of the data; "
        "above 0 for samples of the truth too.",
    ),
    Column(
        "w2", "W2", "lower", 3, main=False,
        note="Exact Wasserstein-2 distance of the same points.",
    ),
    Column(
        "sliced_w2", "Sliced W2", "lower", 4, main=False,
        note="Root mean squared W2 of the projections of 10,000 generated and 10,000 held-out points onto 128 lines.",
    ),
)  # fmt: skip


def score(*, real: Tensor | None, fake: Tensor | None) -> dict[str, float | None]:
    if real is None or fake is None or real.ndim != 2:
        return {column.name: None for column in COLUMNS}
    few = equally_many(real, fake, MATCHED)
    return {
        "w1": wasserstein(real=few[0], fake=few[1], order=1),
        "w2": wasserstein(real=few[0], fake=few[1], order=2),
        "sliced_w2": sliced(*equally_many(real, fake, SLICED)),
    }


def equally_many(real: Tensor, fake: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """As many samples of each as the smaller set has, ``most`` at most."""
    check_pair(real=real, fake=fake, least=1)
    n = min(len(real), len(fake), most)
    return real[draw(real, n)], fake[draw(fake, n)]


def wasserstein(*, real: Tensor, fake: Tensor, order: int) -> float:
    """W_order between two sets of n samples (n, D)."""
    # by differences, not by products: these cancel far from the origin
    distance = torch.cdist(real.double(), fake.double(), compute_mode="donot_use_mm_for_euclid_dist")
    cost = (distance**order).cpu().numpy()  # (n, n)
    return float(cost[linear_sum_assignment(cost)].mean() ** (1 / order))


def sliced(real: Tensor, fake: Tensor) -> float:
    """Sliced W2 between two sets of n samples (n, D): on a line the best plan matches sorted samples."""
    directions = torch.randn(real.shape[1], LINES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    lines = torch.nn.functional.normalize(directions, dim=0).to(real.device)  # (D, LINES)
    left, right = ((x.double() @ lines).sort(dim=0).values for x in (real, fake))  # (n, D) -> (n, LINES)
    return torch.nn.functional.mse_loss(left, right).sqrt().item()
