"""How near predicted frames come to the true ones, by best of several draws and by their mean.

The two ways that stochastic prediction is scored since E. Denton, R. Fergus, "Stochastic Video Generation with a
Learned Prior", 2018, arXiv:1802.07687: the best of N draws rewards whoever spreads them wide, the mean of N draws
whoever blurs, so that both are told. PSNR = 10 log10(peak^2 / MSE) of each frame with peak 2, pixels being in [-1, 1];
structural similarity of Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error
visibility to structural similarity", 2004, doi:10.1109/TIP.2003.819861; each the mean over a clip's predicted frames.
Departure: few draws; no frame counts for more than rounding to the data's grey levels would leave, since one predicted
exactly has an infinite PSNR; the mean is of the draws' pixels, not of their scores.
"""

import math

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.similarity import ssim_each
from benchmarks.metrics.reconstruction import BEST, PEAK

CLIPS, DRAWS = 100, 10  # clips that are continued several times, and how often

_OF = f"predicted frames with the true ones, of the first {CLIPS} clips that samples continue; of {DRAWS} draws each"
COLUMNS = (
    Column(
        "psnr_mean", f"PSNR, mean of {DRAWS}", "higher", 2,
        note=f"Peak signal-to-noise ratio of {_OF} their mean image; dB, mean over frames. The oracle's draws are the "
        "true law's, where it is known.",
    ),
    Column(
        "psnr_best", f"PSNR, best of {DRAWS}", "higher", 2,
        note=f"Peak signal-to-noise ratio of {_OF} the best for the clip; dB, mean over frames.",
    ),
    Column(
        "ssim_mean", f"SSIM, mean of {DRAWS}", "higher", 3,
        note=f"Structural similarity on [0, 1] (7x7 window) of {_OF} their mean image.",
    ),
    Column(
        "ssim_best", f"SSIM, best of {DRAWS}", "higher", 3,
        note=f"Structural similarity on [0, 1] (7x7 window) of {_OF} the best for the clip.",
    ),
)  # fmt: skip


def score(
    *, continued: Tensor | None, continuations: Tensor | None, seen: int | None, levels: int | None
) -> dict[str, float | None]:
    if continued is None or continuations is None or seen is None:
        return {column.name: None for column in COLUMNS}
    psnr, ssim = by_frame(continued=continued, draws=continuations, seen=seen, levels=levels or 0)
    values: dict[str, float | None] = {}
    for name, (mean, each) in {"psnr": psnr, "ssim": ssim}.items():
        values |= {f"{name}_mean": mean.mean().item(), f"{name}_best": best(each).mean().item()}
    return values


def by_frame(*, continued: Tensor, draws: Tensor, seen: int, levels: int) -> tuple[tuple[Tensor, Tensor], ...]:
    """PSNR and SSIM of every predicted frame: of the mean draw, (m, frames), and of each draw, (draws, m, frames)."""
    if draws.shape[1:] != continued.shape or not 0 <= seen < continued.shape[1]:
        raise ValueError(
            f"draws {tuple(draws.shape)} and seen = {seen} do not fit clips {tuple(continued.shape)}: give (draws, m, "
            "T, C, H, W) and fewer frames than T"
        )
    if not draws.isfinite().all():
        raise ValueError(f"{int((~draws.isfinite()).sum())} pixels are predicted as NaN or infinity")
    true, drawn = continued[:, seen:].double(), draws[:, :, seen:].double()
    both = (drawn.mean(0, keepdim=True), drawn)
    psnr = [of_error((x - true).square().flatten(3).mean(3), levels) for x in both]
    ssim = [
        ssim_each(x.flatten(0, 2), true.expand_as(x).flatten(0, 2)).view(x.shape[:3]) for x in both
    ]  # (draws, m, frames)
    return (psnr[0][0], psnr[1]), (ssim[0][0], ssim[1])


def of_error(error: Tensor, levels: int) -> Tensor:
    """PSNR of mean squared errors, dB, at most that of rounding to so many levels: an error uniform over a step."""
    most = 10 * math.log10(12 * (levels - 1) ** 2) if levels else BEST  # the step is PEAK / (levels - 1)
    return (10 * (PEAK**2 / error).log10()).clamp_max(most)


def best(each: Tensor) -> Tensor:
    """That draw of each clip whose frames are best on average: (draws, m, frames) -> (m, frames)"""
    chosen = each.mean(2).argmax(0)  # (m,)
    return each[chosen, torch.arange(each.shape[1], device=each.device)]
