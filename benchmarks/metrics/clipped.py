"""Clipped density and coverage: fidelity and coverage that outliers cannot raise, as shares of good samples.

N. Salvy, H. Talbot, B. Thirion, "Enhanced Generative Model Evaluation with Clipped Density and Coverage", 2026 (ICLR),
arXiv:2507.01761, with the details of the authors' code; k = 5, a ball reaches to the k-th nearest other real sample.
Density: no ball is larger than the median one; a generated sample counts as the number of balls that it lies in (<=),
over k and 1 at most; the mean is divided by what the real samples score in each other's balls, and is 1 at most.
Coverage: a real sample counts as the number of generated ones in its ball (<, at its full size), over k and 1 at most;
the mean becomes the share of good samples, among samples that hit no ball, of which it would be the expectation. The
mass of a ball is Beta(k, N - k), hence the count of m good samples in it is beta-binomial whatever the distribution.
Departure: between whole numbers of good samples the share is interpolated, and it is of n and not of n + 1. A
table takes equally many samples of both sets, by lot, 10,000 of each at most.
"""

import numpy as np
import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import equally_many
from benchmarks.metrics.common.neighbours import BLOCK, around, nearest
from benchmarks.metrics.manifold import LEAST, SAID, SAMPLES

COLUMNS = (
    Column(
        "clipped_density", "Clipped density", "higher", 3, main=False,
        note="Share of generated samples as good as held-out ones, by the held-out samples' balls (k = 5, <=, none "
        f"larger than the median one); {SAID}.",
    ),
    Column(
        "clipped_coverage", "Clipped coverage", "higher", 3, main=False,
        note=f"Share of good samples that would cover the held-out ones' balls as often (k = 5, <); {SAID}.",
    ),
)  # fmt: skip


def score(*, real_features: Tensor | None, fake_features: Tensor | None) -> dict[str, float | None]:
    if real_features is None or fake_features is None:
        return {column.name: None for column in COLUMNS}
    check_pair(real=real_features, fake=fake_features, least=LEAST)
    real, fake = equally_many(real_features, fake_features, most=SAMPLES)
    density, coverage = clipped(real=real, fake=fake)
    return {"clipped_density": density, "clipped_coverage": coverage}


def clipped(*, real: Tensor, fake: Tensor, k: int = 5, block: int = BLOCK) -> tuple[float, float]:
    """Clipped density and coverage of (n, D) generated features, by (N, D) real ones."""
    check_pair(real=real, fake=fake, least=k + 1)
    reach = nearest(real, k, size=block)[:, 0]  # (N,) squared
    small = reach.minimum(reach.sqrt().quantile(0.5).square())
    balls, inside = (torch.zeros(len(x), dtype=torch.int64, device=x.device) for x in (fake, real))
    for near, _ in around(real, fake, reach, size=block):
        balls += near.within(small[near.i], closed=True)[1].bincount(minlength=len(fake))
        inside += near.within(reach[near.i], closed=False)[0].bincount(minlength=len(real))
    own = torch.full_like(inside, -1)  # each lies in its own
    for near, _ in around(real, real, small, size=block):
        own += near.within(small[near.i], closed=True)[1].bincount(minlength=len(real))
    good, fidelity, covered = (count.clamp_max(k).double().mean().item() / k for count in (own, balls, inside))
    shares = np.linspace(0, 1, len(fake) + 1)
    return float(np.minimum(1, fidelity / good)), float(np.interp(covered, expected(len(real), len(fake), k), shares))


def expected(real: int, fake: int, k: int) -> np.ndarray:
    """E[min(J, k)] / k for J of m good samples in a ball of N = ``real``, m = 0, ..., ``fake``."""
    m = np.arange(fake + 1.0)
    at = np.prod([(real - i) / (real + m - i) for i in range(1, k + 1)], axis=0)  # P(J = 0)
    below, total = at, at  # P(J <= j), and its sum over j < k
    for j in range(k - 1):
        at = at * (m - j) / (j + 1) * (k + j) / np.maximum(1, real - k + m - j - 1)  # P(J = j + 1)
        below = below + at
        total = total + below
    return 1 - total / k
