"""Frechet distance between Gaussians fitted to features of real and of generated samples, and its limit in samples.

M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017,
arXiv:1706.08500, Equation 6; closed form of D. C. Dowson and B. V. Landau, "The Frechet distance between multivariate
normal distributions", 1982. Unbiased covariances (ddof = 1), moments in float64. The column's name says whose features
they are: `fid` is of Inception's only, `fjd` of the judge's, `fd` of a point's own coordinates.
Departure: the trace of the square root of S_r S_f is taken without a matrix square root: for any S_r = A'A and
S_f = B'B it is the sum of the singular values of AB'. A is the triangle of a QR of the centred samples, whose squares
are never formed: they would lose half the digits. With fewer samples than dimensions A is the centred samples
themselves, so the result stays exact and the product small.

The limit: M. J. Chong and D. Forsyth, "Effectively Unbiased FID and Inception Score and where to find them", 2020,
arXiv:1911.07023: the bias falls as 1/n, so a line through the distances at several n, drawn on to 1/n = 0, is free
of it. Departure: both sets are cut and not the generated one alone, because held-out data are few too, so that fresh
data score 0; and two sizes serve, n and n/2, the latter as the mean over both halves, which are drawn by lot.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import draw

BLOCK = 10_240  # samples converted to float64 at once, or four times as many as dimensions
ENOUGH = 3  # samples per dimension in half a set: with fewer the bias does not fall as 1/n

_LIMIT = (
    "The same at infinitely many samples, extrapolated from all and from half of both sets; about 0 for fresh data, "
)

COLUMNS = (
    Column(
        "fjd", "FJD", "lower", 3,
        note="Frechet distance of the judge's features (not Inception's) of held-out and generated images; ddof = 1.",
    ),
    Column(
        "fjd_infinite", "FJD, infinite n", "lower", 3, main=False,
        note=f"{_LIMIT}and may be below; n/a with fewer than {2 * ENOUGH} samples per feature.",
    ),
    Column(
        "fd", "FD", "lower", 5, main=False,
        note="Frechet distance of the coordinates of held-out and generated points; ddof = 1.",
    ),
    Column(
        "fd_infinite", "FD, infinite n", "lower", 5, main=False,
        note=f"{_LIMIT}and may be below; n/a with fewer than {2 * ENOUGH} samples per dimension.",
    ),
    Column(
        "fid", "FID", "lower", 3, main=False,
        note="Frechet distance of Inception's features of held-out and generated images; ddof = 1.",
    ),
    Column(
        "fid_infinite", "FID, infinite n", "lower", 3, main=False,
        note=f"{_LIMIT}and may be below; n/a with fewer than {2 * ENOUGH} samples per feature.",
    ),
)  # fmt: skip


def score(
    *,
    real_features: Tensor | None,
    fake_features: Tensor | None,
    features_of: str | None,
    real_inception: Tensor | None,
    fake_inception: Tensor | None,
) -> dict[str, float | None]:
    pairs = {
        "fjd": (real_features, fake_features) if features_of == "judge" else (None, None),
        "fd": (real_features, fake_features) if features_of == "coordinates" else (None, None),
        "fid": (real_inception, fake_inception),
    }
    values: dict[str, float | None] = {}
    for name, (real, fake) in pairs.items():
        values |= {name: None, f"{name}_infinite": None}
        if real is not None and fake is not None:
            distance = frechet_distance(real=real, fake=fake)
            values |= {name: distance, f"{name}_infinite": infinite(distance, real=real, fake=fake)}
    return values


def frechet_distance(*, real: Tensor, fake: Tensor) -> float:
    """|mean_r - mean_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)) of (n, D) samples."""
    check_pair(real=real, fake=fake, least=2)
    mean_real, root_real = _moments(real)
    mean_fake, root_fake = _moments(fake)
    shared = torch.linalg.svdvals(root_real @ root_fake.T).sum()  # (p, D), (q, D) -> (p, q)
    spread = root_real.square().sum() + root_fake.square().sum() - 2 * shared
    return ((mean_real - mean_fake).square().sum() + spread).clamp_min(0).item()


def infinite(distance: float, *, real: Tensor, fake: Tensor) -> float | None:
    """The limit of a Frechet distance in samples; None where these are too few for it."""
    if min(len(real), len(fake)) // 2 < ENOUGH * real.shape[1]:
        return None
    halves = (draw(x, len(x)).tensor_split(2) for x in (real, fake))
    parts = [frechet_distance(real=real[left], fake=fake[right]) for left, right in zip(*halves, strict=True)]
    return 2 * distance - sum(parts) / 2


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean, and a root R of the covariance R'R, with no more rows than samples or dimensions."""
    n, dims = x.shape
    mean = torch.stack([part.sum(dim=0, dtype=torch.float64) for part in x.split(BLOCK)]).sum(dim=0) / n
    if n <= dims:
        return mean, (x - mean) / (n - 1) ** 0.5
    root = mean.new_empty(0, dims)
    for part in x.split(max(BLOCK, 4 * dims)):
        root = torch.linalg.qr(torch.cat([root, part - mean]), mode="r").R
    return mean, root / (n - 1) ** 0.5
