"""How unlike one another generated samples are, without regard to whether they are any good.

Vendi score: D. Friedman, A. B. Dieng, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning", 2023,
arXiv:2210.02410: the exponential of the entropy of the eigenvalues of K/n, K being the similarities of n samples; an
effective number of different samples, 1 to n. Here K is Gaussian in the features, exp(-d^2 / 2 s^2), with s the median
distance between held-out samples, so that models compare and points and images are treated alike.
Similarity of pairs: A. Odena, C. Olah, J. Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017,
arXiv:1610.09585, Section 4.2: mean structural similarity of pairs of generated images; a collapsed model's are alike.
Departure: plain SSIM, since the five scales of MS-SSIM need images of more than 160 pixels a side; pairs of any class.
Neither has a best value but the oracle's: noise is more diverse than data.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_images, check_pair
from benchmarks.metrics.common.draw import draw
from benchmarks.metrics.common.similarity import ssim
from benchmarks.metrics.common.undefined import Undefined

SAMPLES = 1000

COLUMNS = (
    Column(
        "vendi", "Vendi score", None, 2, main=False,
        note="Effective number of different samples among 1,000 (all, where fewer); Gaussian kernel on the features, "
        "as wide as the median distance between held-out samples. n/a where that is 0.",
    ),
    Column(
        "pair_ssim", "SSIM of pairs", None, 3, main=False,
        note="Mean structural similarity (one scale, 7x7 window) of 500 pairs of generated images on [0, 1], of any "
        "class; higher is less diverse.",
    ),
)  # fmt: skip


def score(
    *, real_features: Tensor | None, fake_features: Tensor | None, fake: Tensor | None
) -> dict[str, float | None]:
    values: dict[str, float | None] = {column.name: None for column in COLUMNS}
    if real_features is not None and fake_features is not None:
        values["vendi"] = gaussian_vendi(real=real_features, fake=fake_features)
    if fake is not None and fake.ndim == 4:
        values["pair_ssim"] = pair_ssim(fake=fake)
    return values


def gaussian_vendi(*, real: Tensor, fake: Tensor) -> float | None:
    """Vendi score of (n, D) features; None where most of the (N, D) held-out ones are one and the same."""
    check_pair(real=real, fake=fake, least=2)
    real, fake = (x[draw(x, SAMPLES)].double() for x in (real, fake))
    width = torch.pdist(real).median()
    if width == 0:
        return None
    distance = torch.cdist(fake, fake, compute_mode="donot_use_mm_for_euclid_dist")  # (n, n)
    return vendi(kernel=torch.exp(-(distance / width).square() / 2))


def vendi(*, kernel: Tensor) -> float:
    """Vendi score of similarities (n, n), each sample's with itself being 1."""
    eigenvalues = torch.linalg.eigvalsh(kernel / len(kernel)).clamp_min(0)
    return torch.special.entr(eigenvalues).sum().exp().item()


def pair_ssim(*, fake: Tensor) -> float:
    """Mean structural similarity of pairs of images (n, C, H, W), each image in one pair at most."""
    check_images("fake", fake)
    if len(fake) < 2:
        raise Undefined("fake holds one image: give 2 or more")
    chosen = fake[draw(fake, SAMPLES)]
    half = len(chosen) // 2
    return ssim(chosen[:half], chosen[half : 2 * half])
