"""Structural similarity of images.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to structural
similarity", 2004, doi:10.1109/TIP.2003.819861, as scikit-image computes it.
Departure: a uniform window of 7 x 7 pixels, scikit-image's default, for the paper's Gaussian one of 11 x 11, which is
wider than the smallest images here; in an image smaller than 7 the largest odd window that fits. Pixels are taken to
[0, 1] first: the measure is of light, of which black has none, and its constants are for a range that begins at 0.
"""

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

WINDOW = 7


def ssim(a: Tensor, b: Tensor) -> float:
    """Mean structural similarity of images a (n, C, H, W) in [-1, 1] with those of b, one by one, over channels too."""
    return compared(a, b)[0]


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """The same for every pixel with its window, which an image's edge mirrors: (n, C, H, W)"""
    return compared(a, b)[1]


def compared(a: Tensor, b: Tensor) -> tuple[float, Tensor]:
    fitting = min(a.shape[-2:]) - (min(a.shape[-2:]) + 1) % 2
    planes = ((x.flatten(0, 1).double().cpu().numpy() + 1) / 2 for x in (a, b))  # (n, C, H, W) -> (n C, H, W)
    window = {"win_size": min(WINDOW, fitting), "channel_axis": 0, "data_range": 1.0}
    mean, every = structural_similarity(*planes, **window, full=True)
    return float(mean), torch.from_numpy(every).to(a.device).view_as(a)
