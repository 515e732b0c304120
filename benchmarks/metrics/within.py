"""What the share of high-quality samples hides: how modes of a known mixture are filled, and how evenly.

A generator may put 97 % of its samples less than 3 sigma from a centre with modes half as wide as the truth's, and
beside them. Width and place of a mode are moments of its high-quality samples, those of `benchmarks.metrics.modes`
(A. Srivastava et al., "VEEGAN", 2017, arXiv:1705.07761), about their own mean, in sigmas, along principal axes; the
median over modes stands for all. Cut off at 3 sigma the truth's own s.d. is sqrt(F_{D+2}(9) / F_D(9)) sigma, F_k being
the distribution function of chi-squared: 0.974 in two dimensions. Evenness is K. Pearson's chi-squared, 1900, of all
samples over the modes that they are nearest to, over its K - 1 degrees of freedom: 1 on average for the truth. The
cross-entropy is the mean of -log p of all samples under the true density; the truth's own is its entropy.
A mode is measured if 20 high-quality samples are in it. One that is not counts as displaced by 3 sigma, the most there
can be; it has no width.
"""

import math

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_mixture
from benchmarks.metrics.common.histograms import uniform
from benchmarks.metrics.common.occupancy import FIRM, RADIUS, nearest_mode

_OF = f"of the samples less than {RADIUS} sigma from a mode's centre, over sigma; median over modes"

COLUMNS = (
    Column(
        "mode_spread", "Spread in modes", None, 3, main=False,
        note=f"S.d. along an axis, root mean square of all axes, {_OF} with {FIRM} such samples; 0.974 for samples of "
        "the truth in two dimensions, less for modes too narrow. n/a where there is no such mode.",
    ),
    Column(
        "mode_narrow", "Spread, narrowest axis", None, 3, main=False,
        note="The same along the narrowest axis alone: far less where a mode has become a line. n/a where that is.",
    ),
    Column(
        "mode_shift", "Displacement of modes", "lower", 3, main=False,
        note=f"Distance of the mean from the centre, {_OF}, {RADIUS} for those with fewer than {FIRM} such samples; "
        "about 1.15 sqrt(K/n) for samples of the truth in two dimensions.",
    ),
    Column(
        "mode_chi2", "Chi² of mode counts", "lower", 2, main=False,
        note="Chi-squared of all samples, each counted at the nearest mode, against equal (or true) shares, over K-1; "
        "1 on average for samples of the truth.",
    ),
    Column(
        "cross_entropy", "Cross-entropy (nats)", None, 3, main=False,
        note="Mean of -log p of the samples under the true density; samples of the truth score its entropy, "
        "log K + D/2 log(2 pi e sigma²) where modes lie far apart, narrower modes less, strays d sigmas off d²/2 more.",
    ),
)  # fmt: skip


def score(
    *, fake: Tensor | None, centres: Tensor | None, sigma: float | None, weights: Tensor | None
) -> dict[str, float | None]:
    if fake is None or centres is None or sigma is None:
        return {column.name: None for column in COLUMNS}
    return {
        **moments(fake=fake, centres=centres, sigma=sigma),
        "mode_chi2": chi2(counts=nearest_mode(fake, centres)[1].bincount(minlength=len(centres)), weights=weights),
        "cross_entropy": cross_entropy(fake=fake, centres=centres, sigma=sigma, weights=weights),
    }


def moments(*, fake: Tensor, centres: Tensor, sigma: float) -> dict[str, float | None]:
    """Spread, narrowest axis and displacement of the modes of samples (n, D) around centres (K, D)."""
    check_mixture(fake=fake, centres=centres, sigma=sigma)
    far, mode = nearest_mode(fake, centres)
    good = far < RADIUS * sigma
    mode = mode[good]
    offset = (fake[good].double() - centres.double()[mode]) / sigma  # (m, D)
    counts = mode.bincount(minlength=len(centres))[:, None]  # (K, 1)
    mean = _summed(offset, mode, len(centres)) / counts  # (K, D)
    rest = offset - mean[mode]
    scatter = _summed(rest[:, :, None] * rest[:, None], mode, len(centres))  # (K, D, D)
    firm = counts[:, 0] >= FIRM
    shift = torch.linalg.vector_norm(mean, dim=1).where(firm, RADIUS)
    found: dict[str, float | None] = {"mode_spread": None, "mode_narrow": None, "mode_shift": _median(shift)}
    if firm.any():
        axes = torch.linalg.eigvalsh(scatter[firm] / (counts[firm, :, None] - 1)).clamp_min(0)  # variances, ascending
        found |= {"mode_spread": _median(axes.mean(1).sqrt()), "mode_narrow": _median(axes[:, 0].sqrt())}
    return found


def _summed(x: Tensor, mode: Tensor, modes: int) -> Tensor:
    """The sum of the rows of x (m, ...) in each mode, (K, ...)."""
    return x.new_zeros(modes, *x.shape[1:]).index_add_(0, mode, x)


def _median(x: Tensor) -> float:
    return x.quantile(0.5).item()


def chi2(*, counts: Tensor, weights: Tensor | None = None) -> float:
    """Chi-squared of counts (K,) against equal ones, or those by weights (K,), over its degrees of freedom."""
    meant = counts.sum() * (uniform(counts) if weights is None else weights.double()).to(counts.device)
    return ((counts - meant).square() / meant).sum().item() / max(1, len(counts) - 1)


def cross_entropy(*, fake: Tensor, centres: Tensor, sigma: float, weights: Tensor | None = None) -> float:
    """Mean -log density of samples (n, D) in the mixture of Gaussians around centres (K, D), nats."""
    modes, dims = centres.shape
    shares = (uniform(centres) if weights is None else weights.double()).log().to(centres.device)
    total = 0.0
    for part in fake.double().split(max(1, 2**22 // modes)):
        distance = torch.cdist(part, centres.double(), compute_mode="donot_use_mm_for_euclid_dist")  # (n, K)
        total += (shares - (distance / sigma).square() / 2).logsumexp(1).sum().item()
    return dims * math.log(sigma * math.sqrt(2 * math.pi)) - total / len(fake)
