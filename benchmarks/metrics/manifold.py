"""Precision, recall, density and coverage: nearest-neighbour balls around features of real and of generated samples.

Precision and recall, Equations 1 and 2 of T. Kynkaanniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila, "Improved
Precision and Recall Metric for Assessing Generative Models", 2019, arXiv:1904.06991: k = 3, and a sample on a ball's
surface is inside (<=), as in the authors' code and in torch-fidelity; `prdc` leaves it out.
Density and coverage, Section 3 of M. F. Naeem, S. J. Oh, Y. Uh, Y. Choi, J. Yoo, "Reliable Fidelity and Diversity
Metrics for Generative Models", 2020, arXiv:2002.09797: k = 5, and a sample on the surface is outside (<), as in the
authors' code `prdc`. A ball reaches from a sample to its k-th nearest other sample of its own set, itself excluded. So
equal sets without repeated samples have precision = recall = coverage = density = 1. Where a sample has k exact copies
its ball is a point, which under < holds nothing. Two draws of one distribution, N real and n generated, have an
expected coverage of 1 - prod_{i=1..k} (N-i)/(N+n-i) (Lemma 2): about .97 for n = N, and .6 at most for n = N / 5.
Departure: a table therefore takes equally many samples of both sets, by lot, 10,000 of each at most.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import equally_many
from benchmarks.metrics.common.neighbours import BLOCK, See, around, nearest

SAMPLES = 10_000  # of each set, in a table
LEAST = 6  # a sample and the five neighbours that coverage asks for
WHOSE = "the judge's of images (of unlabelled ones ImageNet's), the coordinates of points"
SAID = f"features: {WHOSE}; equally many of both sets, at most 10,000"

COLUMNS = (
    Column(
        "precision", "Precision", "higher", 3,
        note=f"Share of generated samples within a held-out one's ball (k = 3, <=); {SAID}.",
    ),
    Column(
        "recall", "Recall", "higher", 3,
        note=f"Share of held-out samples within a generated one's ball (k = 3, <=); {SAID}.",
    ),
    Column(
        "density", "Density", "higher", 3, main=False,
        note=f"Held-out samples' balls around a generated one, over k (k = 5, <), can exceed 1; {SAID}.",
    ),
    Column(
        "coverage", "Coverage", "higher", 3,
        note=f"Share of held-out samples with a generated one in their ball (k = 5, <); {SAID}.",
    ),
)  # fmt: skip


class Manifold(NamedTuple):
    precision: float
    recall: float
    density: float
    coverage: float


class Sight(NamedTuple):
    """Who is shown the blocks of pairs within either set and between them: a metric that can do with their products."""

    real: See | None = None
    fake: See | None = None
    between: See | None = None


def score(*, real_features: Tensor | None, fake_features: Tensor | None) -> dict[str, float | None]:
    if real_features is None or fake_features is None:
        return {column.name: None for column in COLUMNS}
    check_pair(real=real_features, fake=fake_features, least=LEAST)
    real, fake = equally_many(real_features, fake_features, most=SAMPLES)
    return manifold(real=real, fake=fake)._asdict()


def manifold(
    *, real: Tensor, fake: Tensor, k: int = 3, k_density: int = 5, block: int = BLOCK, see: Sight | None = None
) -> Manifold:
    """All four from one pass over the pairs of (N, D) real and (n, D) generated features; `k` is that of precision."""
    check_pair(real=real, fake=fake, least=max(k, k_density) + 1)
    see = see or Sight()
    order = [k, k_density] if k <= k_density else [k_density, k]
    reach = nearest(real, *order, size=block, see=see.real)  # (N, 2) squared
    real_reach, ball_reach = (reach[:, order.index(rank)] for rank in (k, k_density))
    (fake_reach,) = nearest(fake, k, size=block, see=see.fake).unbind(dim=1)
    precise = torch.zeros(len(fake), dtype=torch.bool, device=fake.device)
    recalled, covered = torch.zeros(2, len(real), dtype=torch.bool, device=real.device)
    hits = 0
    for of_real, of_fake in around(real, fake, reach[:, -1], fake_reach, size=block, see=see.between):
        precise[of_real.within(real_reach[of_real.i], closed=True)[1]] = True
        recalled[of_fake.within(fake_reach[of_fake.j], closed=True)[0]] = True
        ball, _ = of_real.within(ball_reach[of_real.i], closed=False)
        covered[ball] = True
        hits += len(ball)
    shares = (flags.double().mean().item() for flags in (precise, recalled, covered))
    precision, recall, coverage = shares
    return Manifold(precision, recall, hits / (k_density * len(fake)), coverage)
