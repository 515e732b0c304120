"""Structural similarity of images.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to structural
similarity", 2004, doi:10.1109/TIP.2003.819861, as scikit-image computes it.
Departure: a uniform window of 7 x 7 pixels, scikit-image's default, for the paper's Gaussian one of 11 x 11, which is
wider than the smallest images here; in an image smaller than 7 the largest odd window that fits. Pixels are taken to
[0, 1] first: the measure is of light, of which black has none, and its constants are for a range that begins at 0.
"""

import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity
from torch import Tensor

WINDOW = 7
LIGHT, CONTRAST = 0.01**2, 0.03**2  # the constants of Equation 13 for light in [0, 1]


def ssim(a: Tensor, b: Tensor) -> float:
    """Mean structural similarity of images a (n, C, H, W) in [-1, 1] with those of b, one by one, over channels too."""
    return compared(a, b)[0]


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """The same for every pixel with its window, which an image's edge mirrors: (n, C, H, W)"""
    return compared(a, b)[1]


def ssim_each(a: Tensor, b: Tensor) -> Tensor:
    """The similarity of each of many images a (n, C, H, W) in [-1, 1] with that of b, as `ssim` has their mean: (n,)"""
    side = min(WINDOW, odd_side(a))
    x, y = ((each.flatten(0, 1)[:, None].double() + 1) / 2 for each in (a, b))  # (n C, 1, H, W)
    mean_x, mean_y, xx, yy, xy = (F.avg_pool2d(each, side, 1) for each in (x, y, x * x, y * y, x * y))
    unbiased = side**2 / (side**2 - 1)
    spread = unbiased * (xx - mean_x**2 + yy - mean_y**2)
    shared = unbiased * (xy - mean_x * mean_y)
    likeness = (2 * mean_x * mean_y + LIGHT) * (2 * shared + CONTRAST)
    likeness = likeness / ((mean_x**2 + mean_y**2 + LIGHT) * (spread + CONTRAST))
    return likeness.unflatten(0, a.shape[:2]).flatten(1).mean(1)


def odd_side(a: Tensor) -> int:
    """The largest odd window that fits."""
    return min(a.shape[-2:]) - (min(a.shape[-2:]) + 1) % 2


def compared(a: Tensor, b: Tensor) -> tuple[float, Tensor]:
    planes = ((x.flatten(0, 1).double().cpu().numpy() + 1) / 2 for x in (a, b))  # (n, C, H, W) -> (n C, H, W)
    window = {"win_size": min(WINDOW, odd_side(a)), "channel_axis": 0, "data_range": 1.0}
    mean, every = structural_similarity(*planes, **window, full=True)
    return float(mean), torch.from_numpy(every).to(a.device).view_as(a)
