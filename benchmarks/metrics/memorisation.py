"""Whether generated samples lie closer to the training data than fresh data do.

Authenticity: A. M. Alaa, B. van Breugel, E. Saveliev, M. van der Schaar, "How Faithful is your Synthetic Data?
Sample-level Metrics for Evaluating and Auditing Generative Models", 2022, arXiv:2102.08921: a sample is authentic if it
lies farther from its nearest training sample than that one lies from its own nearest. Fresh draws are authentic if they
and their nearest are not nearest to each other: 1 - 6 pi / (8 pi + 3 sqrt 3) = 37.9 % in the plane, toward 50 % in many
dimensions where the density is even. Where it is not, some data are the nearest of many, and it is more: fresh digits
have 58 % in the judge's features, so that a model is to be read beside the oracle.
C_T: C. Meehan, K. Chaudhuri, S. Dasgupta, "A Non-Parametric Test to Detect Data-Copying in Generative Models", 2020,
arXiv:2004.05675: in each cell of k-means of the training data, the Mann-Whitney U of generated against held-out
distances to the nearest training sample, as a z-score; the mean over cells, weighted by their held-out shares. Far
below 0 is copying, far above 0 is underfitting; it grows with the root of the number of samples.
Departure: 10 cells, of which those count that hold 20 held-out and 20 generated samples; the nearest training sample
may lie in another cell. The ratio of median distances, and the share of samples nearer to the training data than 95 %
of the held-out data are (5 % for fresh draws), are plainer numbers of the same. At most 2,000 held-out and 2,000
generated samples, by lot, against all training data given. The features are the judge's, or a point's coordinates.
"""

from typing import NamedTuple

import torch
from scipy.stats import mannwhitneyu
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.cells import Cells
from benchmarks.metrics.common.checks import check_sets
from benchmarks.metrics.common.draw import draw
from benchmarks.metrics.common.neighbours import squared

SAMPLES = 2000
CELLS = 10
FIRM = 20  # samples of either kind that a cell needs for a z-score
NEAR = 0.05  # share of held-out samples that are nearer than a near copy need be

COLUMNS = (
    Column(
        "authpct", "AuthPct", None, 2, percent=True, main=False,
        note="Share of generated samples farther from their nearest training sample than that one from its own; 0 for "
        "copies, about 38 % (two dimensions) to 50 % (many) for fresh data; at most 2,000 samples.",
    ),
    Column(
        "c_t", "C_T", None, 2, main=False,
        note="Mean z-score over 10 cells of generated against held-out distances to the training data; far below 0: "
        "copies, far above 0: underfits; at most 2,000 of each. n/a if no cell holds 20 of each.",
    ),
    Column(
        "distance_ratio", "Distance ratio", None, 3, main=False,
        note="Median distance of generated samples to the nearest training sample over that of held-out ones; 0 for "
        "copies, 1 for fresh data. n/a where half of the held-out data are training data.",
    ),
    Column(
        "near_copies", "Near copies", None, 2, percent=True, main=False,
        note="Share of generated samples nearer to a training sample than 95 % of held-out ones are; 5 % for fresh "
        "data.",
    ),
)  # fmt: skip


class Memorisation(NamedTuple):
    authpct: float
    c_t: float | None
    distance_ratio: float | None
    near_copies: float


def score(
    *, real_features: Tensor | None, train_features: Tensor | None, fake_features: Tensor | None
) -> dict[str, float | None]:
    if real_features is None or train_features is None or fake_features is None:
        return {column.name: None for column in COLUMNS}
    return memorisation(real=real_features, train=train_features, fake=fake_features)._asdict()


def memorisation(*, real: Tensor, train: Tensor, fake: Tensor) -> Memorisation:
    """All four of (N, D) held-out, (M, D) training and (n, D) generated features."""
    check_sets({"real": real, "train": train, "fake": fake}, least=CELLS)
    origin = train.double().mean(dim=0)  # features far from zero would cancel
    train = train.double() - origin
    real, fake = (x[draw(x, SAMPLES)].double() - origin for x in (real, fake))
    tree = NearestNeighbors(n_neighbors=1).fit(train.cpu().numpy())
    (far_real, _), (far_fake, nearest) = (_nearest(tree, train, x) for x in (real, fake))
    own, _ = _nearest(tree, train, train[nearest], rank=1)  # the first is the sample itself
    typical = far_real.median().item()
    cells = Cells(train, CELLS)
    return Memorisation(
        authpct=(far_fake > own).double().mean().item(),
        c_t=copying(real=far_real, fake=far_fake, real_cells=cells.of(real), fake_cells=cells.of(fake)),
        distance_ratio=far_fake.median().item() / typical if typical else None,
        near_copies=(far_fake < far_real.quantile(NEAR)).double().mean().item(),
    )


def _nearest(tree: NearestNeighbors, train: Tensor, x: Tensor, rank: int = 0) -> tuple[Tensor, Tensor]:
    """Distance of each of x (n, D) to its nearest training sample, or to the next one, and which that is."""
    found = torch.from_numpy(tree.kneighbors(x.cpu().numpy(), rank + 1, return_distance=False)).to(x.device)
    # by differences: scikit-learn's may come from products, by which a copy is not at distance 0
    distance = [squared(x, train, torch.arange(len(x), device=x.device), column).sqrt() for column in found.T]
    return torch.stack(distance).amax(dim=0), found[:, rank]


def copying(*, real: Tensor, fake: Tensor, real_cells: Tensor, fake_cells: Tensor) -> float | None:
    """C_T of held-out (N,) and generated (n,) distances to the training data; None where no cell holds enough."""
    weights, scores = [], []
    for cell in range(CELLS):
        held_out, drawn = real[(real_cells == cell).to(real.device)], fake[(fake_cells == cell).to(fake.device)]
        if min(len(held_out), len(drawn)) >= FIRM:
            weights.append(len(held_out))
            scores.append(len(held_out) * z_score(real=held_out, fake=drawn))
    return sum(scores) / sum(weights) if weights else None


def z_score(*, real: Tensor, fake: Tensor) -> float:
    """Mann-Whitney U, of the pairs where a generated distance is the longer one, less its mean, over its deviation."""
    n, m = len(real), len(fake)
    u = mannwhitneyu(fake.cpu().numpy(), real.cpu().numpy(), method="asymptotic").statistic  # ties count half
    return float((u - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5)
