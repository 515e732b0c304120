"""What can be measured of a drawn digit: how wide its strokes are, and how far it leans.

Slant is the shear that second moments tell, mu_11 / mu_02, by which digits are made upright in Y. LeCun, L. Bottou, Y.
Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998, doi:10.1109/5.726791, section
III-C. Width is that of a long strip of the same ink and outline: twice the area over the perimeter, which in a grey
image is the sum of its gradients.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST = 1e-9  # of ink, or of an outline: an empty image has neither width nor slant


def ink(x: Tensor) -> Tensor:
    """Images of one channel in [-1, 1], white on black: (n, 1, H, W) -> (n, H, W) in [0, 1], float64"""
    if x.dim() != 4 or x.shape[1] != 1:
        raise ValueError(f"strokes are measured in images of one channel, not of shape {tuple(x.shape[1:])}")
    return (x.squeeze(1).double() + 1) / 2


def width(x: Tensor) -> Tensor:
    """(n, 1, H, W) -> (n,) pixels; 0 of an empty image"""
    light = F.pad(ink(x), (1, 1, 1, 1))
    across, down = light.diff(dim=2)[:, 1:], light.diff(dim=1)[:, :, 1:]
    outline = (across.square() + down.square()).sqrt().flatten(1).sum(1)  # (n,) pixels
    return 2 * light.flatten(1).sum(1) / outline.clamp_min(LEAST)


def slant(x: Tensor) -> Tensor:
    """(n, 1, H, W) -> (n,) pixels to the right for each pixel upwards; 0 of an empty image"""
    light = ink(x)
    total = light.flatten(1).sum(1).clamp_min(LEAST)
    rows, columns = (torch.arange(side, dtype=light.dtype, device=x.device) for side in light.shape[1:])

    def mean(of: Tensor) -> Tensor:
        return (light * of).flatten(1).sum(1) / total  # (n, H, W) or (H, W) -> (n,)

    up, along = (-rows[:, None]).expand(light.shape[1:]), columns.expand(light.shape[1:])
    up, along = (of - mean(of)[:, None, None] for of in (up, along))
    return mean(up * along) / mean(up.square()).clamp_min(LEAST)


def thirds(values: Tensor, label: Tensor, classes: int) -> Tensor:
    """The two values that part each class into three of equal size: (N,), (N,) -> (classes, 2)"""
    shares = torch.tensor([1 / 3, 2 / 3], dtype=values.dtype, device=values.device)
    return torch.stack([values[label == each].quantile(shares) for each in range(classes)])


def third(values: Tensor, bounds: Tensor, label: Tensor) -> Tensor:
    """In which third of its class each value lies, 0, 1 or 2: (n,), (classes, 2), (n,) -> (n,)"""
    return (values[:, None] > bounds[label]).sum(1)
