"""How well a model fills holes in held-out images, on the pixels that it was not shown.

PSNR = 10 log10(peak^2 / MSE) over an image's hidden pixels with peak 2, pixels being in [-1, 1]; structural similarity
of Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to structural
similarity", 2004, doi:10.1109/TIP.2003.819861, Equation 13, as scikit-image maps it, over the hidden pixels. A hole has
many right fillings: of several draws the mean image is scored, as in O. Ivanov, M. Figurnov, D. Vetrov, "Variational
Autoencoder with Arbitrary Conditioning", 2018, arXiv:1806.02382, and for each image the best draw.
Departure: windows at a hole's edge see observed pixels, too, and those at the image's edge its reflection; no image
counts for more than 100 dB.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_images
from benchmarks.metrics.common.damage import DAMAGE, DRAWS, IMAGES
from benchmarks.metrics.common.similarity import ssim_map
from benchmarks.metrics.reconstruction import psnr

MEASURES = {  # the other part, its label, what it is, and decimals
    "psnr": ("PSNR", f"PSNR in dB of the mean of {DRAWS} draws", 2),
    "psnr_best": (f"PSNR, best of {DRAWS}", f"PSNR in dB of each image's best of {DRAWS} draws", 2),
    "ssim": ("SSIM", f"Structural similarity on [0, 1] (7x7 window) of the mean of {DRAWS} draws", 3),
    "ssim_best": (
        f"SSIM, best of {DRAWS}",
        f"Structural similarity on [0, 1] (7x7 window) of each image's best of {DRAWS} draws",
        3,
    ),
}
COLUMNS = tuple(
    Column(
        f"fill_{damage}_{measure}", f"{name}: {label}", "higher", decimals, main=False,
        note=f"{words}, on the hidden pixels: {hidden}; mean over the first {IMAGES} held-out images, the same holes "
        "for every model and seed.",
    )
    for damage, (name, hidden) in DAMAGE.items()
    for measure, (label, words, decimals) in MEASURES.items()
)  # fmt: skip


def score(*, whole: Tensor | None, hidden: Tensor | None, filled: Tensor | None) -> dict[str, float | None]:
    values: dict[str, float | None] = {column.name: None for column in COLUMNS}
    if whole is None or hidden is None or filled is None:
        return values
    for damage, holes, draws in zip(DAMAGE, hidden, filled, strict=True):
        if not draws.isnan().all():
            found = fidelity(whole=whole, hidden=holes, draws=draws)
            values |= {f"fill_{damage}_{measure}": value for measure, value in found.items()}
    return values


def fidelity(*, whole: Tensor, hidden: Tensor, draws: Tensor) -> dict[str, float]:
    """By `MEASURES`, of images (n, C, H, W) with holes (n, 1, H, W), True where hidden, and (draws, n, C, H, W)."""
    check_images("whole", whole)
    if hidden.shape != (len(whole), 1, *whole.shape[2:]) or draws.shape[1:] != whole.shape or not len(draws):
        shapes = f"hidden {tuple(hidden.shape)} and draws {tuple(draws.shape)}"
        raise ValueError(f"{shapes} do not fit images {tuple(whole.shape)}: give (n, 1, H, W) and (draws, n, C, H, W)")
    if not draws.isfinite().all():
        raise ValueError(f"{int((~draws.isfinite()).sum())} pixels are filled with NaN or infinity")
    whole, draws = whole.double(), draws.double()
    candidates = torch.cat([draws.mean(0, keepdim=True), draws])  # (1 + draws, n, C, H, W)
    error = on_holes((candidates - whole).square(), hidden)  # (1 + draws, n)
    pairs = (x.flatten(0, 1) for x in (candidates, whole.expand_as(candidates)))  # ((1 + draws) n, C, H, W)
    likeness = on_holes(ssim_map(*pairs).view_as(candidates), hidden)  # (1 + draws, n)
    return {
        "psnr": psnr(error=error[0]),
        "psnr_best": psnr(error=error[1:].amin(0)),
        "ssim": likeness[0].mean().item(),
        "ssim_best": likeness[1:].amax(0).mean().item(),
    }


def on_holes(values: Tensor, hidden: Tensor) -> Tensor:
    """The mean over each image's hidden pixels and all channels: (k, n, C, H, W), (n, 1, H, W) -> (k, n)"""
    counts = hidden.flatten(1).sum(1)
    if not counts.all():
        raise ValueError(f"{int((counts == 0).sum())} images have no hidden pixel: hide one at least in each")
    return (values.mean(2) * hidden.squeeze(1)).flatten(2).sum(2) / counts
