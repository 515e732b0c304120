"""Grey levels as real numbers, for models that know densities only, and the bound of a level's probability.

Uria, Murray, Larochelle, "RNADE: The Real-Valued Neural Autoregressive Density-Estimator", 2013, arXiv:1306.0186: level
k of L becomes k + u, with u uniform on [0, 1); log p(k) >= E log p(k + u) (Theis, van den Oord, Bethge, "A Note on the
Evaluation of Generative Models", 2015, arXiv:1511.01844, section 3.1). The mean of several p(k + u) bounds it more
tightly (Hoogeboom, Cohen, Tomczak, "Learning Discrete Distributions by Dequantization", 2020, arXiv:2001.11235).

What a model sees is logit(a + (1 - 2a)(k + u) / L), a = 0.05, as in the code of Dinh, Sohl-Dickstein, Bengio, "Density
Estimation Using Real NVP", 2016, arXiv:1605.08803; the paper has (1 - a) in place of (1 - 2a).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from models.common.pixels import from_levels, to_levels

MARGIN = 0.05


def noisy_logits(x: Tensor, levels: int, rng: Generator | None = None) -> tuple[Tensor, Tensor]:
    """Images to their logits at one draw of u, (B, *shape) each way, from torch's global generator unless told; and
    what is to be added to the log-density of these, for that of k + u: (B,) nats."""
    chance = torch.rand(x.shape, generator=rng, dtype=x.dtype, device=x.device)
    share = MARGIN + (1 - 2 * MARGIN) / levels * (to_levels(x, levels) + chance)
    logits = share.logit()
    slope = math.log((1 - 2 * MARGIN) / levels) - F.logsigmoid(logits) - F.logsigmoid(-logits)
    return logits, slope.flatten(1).sum(1)


def of_logits(logits: Tensor, levels: int) -> Tensor:
    """The image whose levels logits lie in, (B, *shape); what lies beyond the outermost belongs to these."""
    share = (logits.sigmoid() - MARGIN) / (1 - 2 * MARGIN)
    return from_levels((levels * share).floor().clamp(0, levels - 1), levels, like=logits)
