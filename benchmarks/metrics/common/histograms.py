"""How far two histograms over the same bins diverge, nats.

Rounding below 0 is cut off by `clamp_min` and not by `max`, which makes 0 of NaN.
"""

import math

import torch
from torch import Tensor


def jensen_shannon(a: Tensor, b: Tensor) -> float:
    """JS of two histograms (K,), counts or masses alike; 0 log 0 = 0.

    J. Lin, "Divergence measures based on the Shannon entropy", 1991: at most log 2.
    """
    p, q = a / a.sum(), b / b.sum()
    entropy = torch.special.entr(torch.stack([(p + q) / 2, p, q])).sum(dim=1)
    return (entropy[0] - (entropy[1] + entropy[2]) / 2).clamp_min(0).item()


def kl_from_uniform(*, counts: Tensor) -> float:
    """KL(histogram || uniform) in nats, 0 log 0 = 0; of an empty histogram, which has no shares, its bound log K."""
    if counts.sum() == 0:
        return math.log(len(counts))
    share = counts.double() / counts.sum()
    return torch.xlogy(share, share * len(counts)).sum().clamp_min(0).item()


def js_from_uniform(*, counts: Tensor) -> float:
    """JS(histogram, uniform) in nats; of an empty histogram, all whose samples lie elsewhere, its bound log 2."""
    if counts.sum() == 0:
        return math.log(2)
    return jensen_shannon(counts.double(), torch.ones_like(counts).double())
