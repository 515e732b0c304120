"""Wasserstein distances between held-out and generated points, in units of the data.

W_p^p is the least mean cost |x - y|^p of moving one distribution onto the other; W1 is the distance that the critic of
M. Arjovsky, S. Chintala, L. Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875, estimates. The best plan between two
histograms is a linear programme (G. Peyre, M. Cuturi, "Computational Optimal Transport", 2019, arXiv:1803.00567,
Section 3), solved exactly by the network simplex of N. Bonneel, M. van de Panne, S. Paris, W. Heidrich, "Displacement
interpolation using Lagrangian mass transport", 2011, in POT (R. Flamary et al., JMLR 22, 2021). Sliced W2, the root of
the mean squared W2 of projections onto lines, costs n log n: J. Rabin, G. Peyre, J. Delon, M. Bernot, "Wasserstein
Barycenter and its Application to Texture Mixing", 2011; N. Bonneel, J. Rabin, G. Peyre, H. Pfister, "Sliced and Radon
Wasserstein Barycenters of Measures", 2015.
Departure: all samples count, those of a cubic cell of side sigma at their mean. A sample is moved by sigma sqrt(D) / 2
at most in the root mean square, which its mean has least of all places and the cell's middle no more than that; so the
distances are those of the samples to within sigma sqrt(D), and mostly far nearer, because means are kept. Of a set that
is scattered over more than 3,000 cells the side is doubled until it is not, and so is its half of the bound. Where
sigma is not known 1,000 samples of each set are matched instead; 10,000 of each are sliced, by 128 lines that are
always the same. Both are drawn by lot.
Two draws of one distribution lie apart too, mostly by the chance of how many samples each mode gets: see the oracle.
"""

import ot
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import equally_many

CELLS = 3000  # of each set: with as many in both, a plan takes a CPU second and 0.7 GB
PIVOTS = 10**7  # of the simplex, which needs fewer
MATCHED = 1000  # samples of each set
SLICED = 10_000
LINES = 128

_CELLS = (
    "between all generated and all held-out points, those in a cell of side sigma at their mean (exact to sigma "
    "sqrt(D), and in practice far nearer; wider cells for points scattered over more than 3,000)"
)

COLUMNS = (
    Column(
        "w1", "W1", "lower", 3,
        note=f"Wasserstein-1 distance {_CELLS}, in units of the data; above 0 for samples of the truth too.",
    ),
    Column(
        "w2", "W2", "lower", 3, main=False,
        note="Wasserstein-2 distance of the same cells.",
    ),
    Column(
        "sliced_w2", "Sliced W2", "lower", 4, main=False,
        note="Root mean squared W2 of the projections of 10,000 generated and 10,000 held-out points onto 128 lines.",
    ),
)  # fmt: skip


def score(*, real: Tensor | None, fake: Tensor | None, sigma: float | None) -> dict[str, float | None]:
    if real is None or fake is None or real.ndim != 2:
        return {column.name: None for column in COLUMNS}
    check_pair(real=real, fake=fake, least=1)
    if sigma is None:
        few = equally_many(real, fake, most=MATCHED)
        w1, w2 = (wasserstein(real=few[0], fake=few[1], order=order) for order in (1, 2))
    else:
        w1, w2 = by_cells(real=real, fake=fake, side=sigma)
    return {"w1": w1, "w2": w2, "sliced_w2": sliced(*equally_many(real, fake, most=SLICED))}


def by_cells(*, real: Tensor, fake: Tensor, side: float, most: int = CELLS) -> tuple[float, float]:
    """W1 and W2 between samples (N, D) and (n, D), each at the mean of those in its cell."""
    (places, shares), (others, parts) = (histogram(x, side, most) for x in (real, fake))
    weights = [x.cpu().numpy() for x in (shares, parts)]
    distance = torch.cdist(places, others, compute_mode="donot_use_mm_for_euclid_dist").cpu().numpy()  # (C, c)
    w1, w2 = (float(ot.emd2(*weights, distance**order, numItermax=PIVOTS)) for order in (1, 2))
    return w1, w2**0.5


def histogram(x: Tensor, side: float, most: int = CELLS) -> tuple[Tensor, Tensor]:
    """The mean of the samples x (n, D) in each cubic cell that has any, (C, D), and their shares, (C,)."""
    if not side > 0:
        raise ValueError(f"sigma is {side}: a cell needs a positive side")
    x = x.double()
    while len(cells := (x / side + 0.5).floor().unique(dim=0)) > most:
        side *= 2
    cell = (x / side + 0.5).floor().unique(dim=0, return_inverse=True)[1]  # (n,)
    counts = cell.bincount().double()
    return torch.zeros_like(cells).index_add_(0, cell, x) / counts[:, None], counts / len(x)


def wasserstein(*, real: Tensor, fake: Tensor, order: int) -> float:
    """W_order between two sets of n samples (n, D): the best plan between equally many is a matching."""
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
