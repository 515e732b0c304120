"""Pictures made equally large."""

import torch
import torch.nn.functional as F
from torch import Tensor


def resized(x: Tensor, size: int) -> Tensor:
    """Bytes, or floats in [-1, 1], (n, C, H, W) as (n, C, size, size): bicubic, smoothed where they shrink."""
    made = F.interpolate(x.float(), size=(size, size), mode="bicubic", antialias=True)
    return made.round_().clamp_(0, 255).byte() if x.dtype == torch.uint8 else made.clamp_(-1, 1)
