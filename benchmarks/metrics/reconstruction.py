"""How well a model gives back held-out data that it encoded.

PSNR = 10 log10(peak^2 / MSE) of each image with peak 2, pixels being in [-1, 1]; structural similarity as
Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to structural
similarity", 2004, doi:10.1109/TIP.2003.819861, Equation 13. Each the mean over images.
Departure: no image counts for more than 100 dB, since one given back exactly has an infinite PSNR.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_images
from benchmarks.metrics.common.draw import draw
from benchmarks.metrics.common.similarity import ssim

SAMPLES = 2000  # images whose structural similarity is taken
PEAK = 2.0  # of pixels in [-1, 1]
BEST = 100.0  # dB

COLUMNS = (
    Column(
        "rmse", "Reconstruction RMSE", "lower", 4, main=False,
        note="Root of the mean squared error of reconstructed held-out data, in units of the data; n/a for models that "
        "encode nothing.",
    ),
    Column(
        "psnr", "PSNR", "higher", 2, main=False,
        note="Peak signal-to-noise ratio of reconstructed held-out images, dB, mean over images, each at most 100; "
        "peak 2 for pixels in [-1, 1].",
    ),
    Column(
        "ssim", "SSIM", "higher", 3, main=False,
        note="Structural similarity of reconstructed held-out images on [0, 1] (7x7 window), mean over images, at "
        "most 2,000.",
    ),
)  # fmt: skip


def score(*, test: Tensor | None, reconstructed: Tensor | None) -> dict[str, float | None]:
    if test is None or reconstructed is None:
        return {column.name: None for column in COLUMNS}
    error = squared_error(real=test, reconstructed=reconstructed)
    values = {"rmse": error.mean().sqrt().item(), "psnr": None, "ssim": None}
    if test.ndim == 4:
        check_images("test", test)
        chosen = draw(test, SAMPLES)
        values |= {"psnr": psnr(error=error), "ssim": ssim(test[chosen], reconstructed[chosen])}
    return values


def squared_error(*, real: Tensor, reconstructed: Tensor) -> Tensor:
    """Mean squared error of each sample, (n,) in float64."""
    if real.shape != reconstructed.shape or real.numel() == 0:
        raise ValueError(
            f"real has the shape {tuple(real.shape)} and reconstructed {tuple(reconstructed.shape)}: give equal ones"
        )
    error = (real.double() - reconstructed.double()).square().flatten(1).mean(dim=1)
    broken = (~error.isfinite()).sum().item()
    if broken:
        raise ValueError(f"{broken} of {len(error)} samples are reconstructed as NaN or infinite")
    return error


def psnr(*, error: Tensor) -> float:
    """Mean over images of the PSNR that their mean squared errors (n,) amount to, dB."""
    return (10 * (PEAK**2 / error).log10()).clamp_max(BEST).mean().item()
