"""Maximum mean discrepancy of held-out and generated points: the distance of their means in the space of a kernel.

A. Gretton, K. M. Borgwardt, M. J. Rasch, B. Scholkopf, A. Smola, "A Kernel Two-Sample Test", JMLR 13, 2012, Lemma 6:
the unbiased estimate of the square, which leaves out a sample's product with itself and is 0 on average, so at times
negative, for two draws of one distribution. The kernel is a mean of Gaussian ones of several bandwidths, like that of
Y. Li, K. Swersky, R. Zemel, "Generative Moment Matching Networks", 2015, arXiv:1502.02761.
Departure: bandwidths of 1, 4, 16 and 64 sigma, from the width of a mode up to the distance between modes, whatever
the samples; 5,000 samples of each set at most, drawn by lot.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import draw

BANDWIDTHS = 4  # how many, from one sigma up
RATIO = 4  # of a bandwidth to the one below it
SEEN = 5000
ROWS = 500  # of a block of pairs

COLUMNS = (
    Column(
        "mmd2", "MMD²", "lower", 5, main=False,
        note="Squared maximum mean discrepancy of 5,000 generated and 5,000 held-out points, unbiased: 0 on average "
        "for samples of the truth; mean of Gaussian kernels of bandwidth 1, 4, 16 and 64 sigma.",
    ),
)  # fmt: skip


def score(*, real: Tensor | None, fake: Tensor | None, sigma: float | None) -> dict[str, float | None]:
    if real is None or fake is None or sigma is None or real.ndim != 2:
        return {"mmd2": None}
    return {"mmd2": squared_mmd(real=real[draw(real, SEEN)], fake=fake[draw(fake, SEEN)], sigma=sigma)}


def squared_mmd(*, real: Tensor, fake: Tensor, sigma: float) -> float:
    """The unbiased estimate between samples (N, D) and (n, D)."""
    check_pair(real=real, fake=fake, least=2)
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}: a bandwidth is positive")
    within = sum((_kernel_sum(x, x, sigma) - len(x)) / (len(x) * (len(x) - 1)) for x in (real, fake))  # k(x, x) = 1
    return within - 2 * _kernel_sum(real, fake, sigma) / (len(real) * len(fake))


def _kernel_sum(x: Tensor, y: Tensor, sigma: float) -> float:
    """The kernel summed over all pairs of a sample of x and one of y."""
    widest = sigma * RATIO ** (BANDWIDTHS - 1)
    total = 0.0
    for part in x.double().split(ROWS):
        distance = torch.cdist(part, y.double(), compute_mode="donot_use_mm_for_euclid_dist")
        kernel = (distance / widest).square_().mul_(-0.5).exp_()
        total += kernel.sum().item()
        for _ in range(BANDWIDTHS - 1):
            for _ in range(RATIO):  # to the power of 2^RATIO = RATIO^2: the next bandwidth's Gaussian
                kernel.square_()
            total += kernel.sum().item()
    return total / BANDWIDTHS
