"""How near translations are to the true ones, and whether what they show is kept.

Mean absolute error, the loss of P. Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks",
2016, arXiv:1611.07004, Equation 3; PSNR and structural similarity as in `benchmarks.metrics.reconstruction`. Where a
partner has many true translations an error is that to one of them: it is least for the middle of all, and a perfect
model has one. Label kept is the score of J. Hoffman et al., "CyCADA: Cycle-Consistent Adversarial Domain Adaptation",
2017, arXiv:1711.03213: what a classifier of the domain translated to makes of translations.
Sharpness is the total variation of translations over that of the true ones (L. Rudin, S. Osher, E. Fatemi, "Nonlinear
total variation based noise removal algorithms", 1992): what blurs has less.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_images
from benchmarks.metrics.common.draw import draw
from benchmarks.metrics.common.similarity import ssim
from benchmarks.metrics.common.units import absolute_error
from benchmarks.metrics.reconstruction import SAMPLES, psnr, squared_error

COLUMNS = (
    Column(
        "partner_mae", "Error (MAE)", "lower", 4,
        note="Mean absolute error of translated held-out data, of images on [0, 1], of points in their units. Where "
        "there are many true translations, to one of them: a perfect model has one, too. n/a for data without pairs.",
    ),
    Column(
        "partner_psnr", "PSNR to truth", "higher", 2,
        note="Peak signal-to-noise ratio of translated held-out images, dB, mean over images, each at most 100.",
    ),
    Column(
        "partner_ssim", "SSIM to truth", "higher", 3, main=False,
        note="Structural similarity of translated held-out images and the true ones on [0, 1] (7x7 window), mean over "
        "images, at most 2,000.",
    ),
    Column(
        "sharpness", "Sharpness", None, 2, percent=True, main=False,
        note="Total variation of translated images over that of the true translations: below 100 % they blur.",
    ),
    Column(
        "label_kept", "Label kept", "higher", 2, percent=True,
        note="Share of translated images that the judge gives the label of what they were translated from.",
    ),
)  # fmt: skip


def score(
    *, target: Tensor | None, fake: Tensor | None, fake_labels: Tensor | None, source_labels: Tensor | None
) -> dict[str, float | None]:
    values: dict[str, float | None] = {column.name: None for column in COLUMNS}
    if fake is not None and target is not None:
        values["partner_mae"] = absolute_error(fake, target)
        if fake.ndim == 4:
            check_images("fake", fake)
            chosen = draw(fake, SAMPLES)
            values["partner_psnr"] = psnr(error=squared_error(real=target, reconstructed=fake))
            values["partner_ssim"] = ssim(target[chosen], fake[chosen])
            values["sharpness"] = sharpness(fake=fake, target=target)
    if fake is not None and fake.ndim == 4 and fake_labels is not None and source_labels is not None:
        values["label_kept"] = (fake_labels == source_labels).double().mean().item()
    return values


def sharpness(*, fake: Tensor, target: Tensor) -> float | None:
    """Total variation of images (n, C, H, W) over that of others; None where these are flat."""
    ours, theirs = (sum(x.double().diff(dim=side).abs().sum().item() for side in (2, 3)) for x in (fake, target))
    return ours / theirs if theirs > 0 else None
