"""How far two histograms over the same bins diverge, nats; beside uniform shares other ones may be meant.

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
    return kl_from(counts=counts, shares=uniform(counts))


def js_from_uniform(*, counts: Tensor) -> float:
    """JS(histogram, uniform) in nats; of an empty histogram, all whose samples lie elsewhere, its bound log 2."""
    return js_from(counts=counts, shares=uniform(counts))


def kl_from(*, counts: Tensor, shares: Tensor) -> float:
    """KL(histogram || shares) in nats; of an empty histogram its bound, which one bin alone reaches, the rarest."""
    shares = shares.double().to(counts.device)
    if counts.sum() == 0:
        return -math.log(shares.min().item())
    share = counts.double() / counts.sum()
    return torch.xlogy(share, share / shares).sum().clamp_min(0).item()


def js_from(*, counts: Tensor, shares: Tensor) -> float:
    """JS(histogram, shares) in nats; log 2 of an empty histogram."""
    if counts.sum() == 0:
        return math.log(2)
    return jensen_shannon(counts.double(), shares.double().to(counts.device))


def uniform(counts: Tensor) -> Tensor:
    return torch.full((len(counts),), 1 / len(counts), dtype=torch.float64)
