"""Number of statistically different bins, and how far their shares diverge.

E. Richardson, Y. Weiss, "On GANs and GMMs", 2018, arXiv:1805.12462: k-means bins of the training data; a bin
is different if a two-sample test of proportions at 5 % (pooled standard error, two-sided) tells the generated share
from the training share; K = 100, on pixels, as the authors' code has it. NDB / K is printed, about 5 % at best.
The Jensen-Shannon divergence is of the two histograms, in nats, at most log 2; two draws, m and n, of one distribution
have about (K - 1) / 8 (1/m + 1/n).
Departure: k-means sees one half of the training samples and the shares are those of the other: to what it saw it fits
so well that in many dimensions fresh data differ in half of the bins. Fewer than 100 bins where a bin would expect
fewer than 10 samples, which the test needs. At most 5,000 samples in each half and 5,000 generated ones, by lot.
"""

from typing import NamedTuple

import torch
from scipy.stats import norm
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.cells import SEEN, Cells
from benchmarks.metrics.common.checks import check_sets
from benchmarks.metrics.common.draw import draw
from benchmarks.metrics.common.histograms import jensen_shannon

BINS = 100
FEW = 10  # samples that a bin expects at least
LEVEL = 0.05

COLUMNS = (
    Column(
        "ndb", "NDB/K", "lower", 3, main=False,
        note="Share of k-means bins of the training data (K = 100, fewer for small sets) whose share of "
        "generated samples differs at 5 %; pixels or coordinates, at most 5,000 of each; about 0.05 at best.",
    ),
    Column(
        "bins_js", "JS of bins", "lower", 4, main=False,
        note="Jensen-Shannon divergence of the shares in the same bins, nats; about (K-1)/8 (1/m + 1/n) for m training "
        "and n generated samples of one distribution.",
    ),
)  # fmt: skip


class Bins(NamedTuple):
    ndb: float
    bins_js: float


def score(*, train: Tensor | None, fake: Tensor | None) -> dict[str, float | None]:
    if train is None or fake is None:
        return {column.name: None for column in COLUMNS}
    return bins(train=train.flatten(1), fake=fake.flatten(1))._asdict()


def bins(*, train: Tensor, fake: Tensor, k: int = BINS) -> Bins:
    """Both scores of (N, D) training and (n, D) generated samples, with k bins or fewer."""
    check_sets({"train": train, "fake": fake}, least=4 * FEW)
    train, fake = train[draw(train, 2 * SEEN)], fake[draw(fake, SEEN)]
    fitted, counted = train.tensor_split(2)
    k = min(k, len(fake) // FEW, len(counted) // FEW)
    cells = Cells(fitted, k)
    counts = [torch.bincount(cells.of(x), minlength=k).double() for x in (counted, fake)]
    return Bins(different(*counts).double().mean().item(), jensen_shannon(*counts))


def different(a: Tensor, b: Tensor) -> Tensor:
    """Which bins of two histograms (K,) have unequal shares, by the test of proportions."""
    m, n = a.sum(), b.sum()
    pooled = (a + b) / (m + n)
    error = (pooled * (1 - pooled) * (1 / m + 1 / n)).sqrt()
    return (a / m - b / n).abs() > norm.isf(LEVEL / 2) * error
