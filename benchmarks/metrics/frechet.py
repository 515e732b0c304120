"""Frechet distance between Gaussians fitted to the judge's features of real and of generated images.

M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017,
arXiv:1706.08500, Equation 6; closed form of D. C. Dowson and B. V. Landau, "The Frechet distance between multivariate
normal distributions", 1982. Unbiased covariances (ddof = 1), moments in float64.
Departure: the features are the judge's and not Inception's, so the column is `fjd` and not `fid`. The trace of the
square root of S_r S_f is taken without a matrix square root: for any S_r = A'A and S_f = B'B it is the sum of the
singular values of AB', the roots of the eigenvalues of a symmetric product. With fewer samples than dimensions A is the
centred samples themselves, so the result stays exact and the product small.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair

BLOCK = 4096  # samples converted to float64 at once

COLUMNS = (
    Column(
        "fjd", "FJD", "lower", 3,
        note="Frechet distance of the judge's features (not Inception's) of held-out and generated images; ddof = 1.",
    ),
)  # fmt: skip


def score(*, real_features: Tensor | None, fake_features: Tensor | None) -> dict[str, float | None]:
    if real_features is None or fake_features is None:
        return {"fjd": None}
    return {"fjd": frechet_distance(real=real_features, fake=fake_features)}


def frechet_distance(*, real: Tensor, fake: Tensor) -> float:
    """|mean_r - mean_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)) of (n, D) samples."""
    check_pair(real=real, fake=fake, least=2)
    origin = real.double().mean(dim=0)  # features far from zero would cancel
    mean_real, root_real = _moments(real, origin)
    mean_fake, root_fake = _moments(fake, origin)
    cross = root_real @ root_fake.T  # (p, D), (q, D) -> (p, q)
    product = cross @ cross.T if len(cross) <= cross.shape[1] else cross.T @ cross
    fidelity = torch.linalg.eigvalsh(product).clamp_min(0).sqrt().sum()
    spread = root_real.square().sum() + root_fake.square().sum() - 2 * fidelity
    return max(0.0, ((mean_real - mean_fake).square().sum() + spread).item())


def _moments(x: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
    """Mean about the origin, and a root R of the covariance R'R with no more rows than samples or dimensions."""
    n, dims = x.shape
    mean = torch.stack([(part.double() - origin).sum(dim=0) for part in x.split(BLOCK)]).sum(dim=0) / n
    centre = origin + mean
    if n < dims:
        return mean, (x.double() - centre) / (n - 1) ** 0.5
    covariance = x.new_zeros(dims, dims, dtype=torch.float64)
    for part in x.split(BLOCK):
        centred = part.double() - centre
        covariance.addmm_(centred.T, centred)
    covariance /= n - 1
    root, failed = torch.linalg.cholesky_ex(covariance)
    if failed:  # rank-deficient: a feature that is constant, or a combination of others
        values, vectors = torch.linalg.eigh(covariance)
        sure = values > values[-1] * dims * torch.finfo(torch.float64).eps
        root = vectors[:, sure] * values[sure].sqrt()
    return mean, root.T
