"""Two Gaussians in the plane, with the best of all maps between them in closed form.

x = A partner + b with A symmetric and positive definite is the gradient of a convex function, and so the optimal
transport for squared distances: C. R. Givens, R. M. Shortt, "A class of Wasserstein metrics for probability
distributions", 1984; Y. Brenier, "Polar factorization and monotone rearrangement of vector-valued functions", 1991.
A map is scored against such a one by A. Korotin et al., "Do Neural Optimal Transport Solvers Work? A Continuous
Wasserstein-2 Benchmark", 2021, arXiv:2106.01954, Section 4.2. Data are a normal distribution around b; partners are one
of covariance A^-2 around the origin. Any rotation within the ellipses is a translation too, and costs more.
"""

import torch
from pydantic import PositiveInt

from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits, Truth, drawn_from
from benchmarks.datasets.common.translation import with_partners

A = ((1.5, 0.6), (0.6, 0.8))  # eigenvalues 1.845 and 0.455
B = (1.0, -1.0)


def load(
    *, train: PositiveInt = 20_000, validation: PositiveInt = 2_000, test: PositiveInt = 10_000, seed: Seed = 0
) -> Splits:
    truth = Truth(torch.tensor([B]), sigma=1.0)
    back, shift = torch.tensor(A, dtype=torch.float64).inverse(), torch.tensor(B, dtype=torch.float64)
    return with_partners(
        drawn_from(truth, (train, validation, test), seed), lambda x: ((x.double() - shift) @ back).float()
    )
