"""Losses that more than one paper uses. Scores are a critic's raw outputs, (B,); s is the logistic function."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def classification(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log s(real)] - E[log(1 - s(fake))]: what the critic of Goodfellow et al. (2014, equation 1) lessens."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def minimax(fake: Tensor) -> Tensor:
    """E[log(1 - s(fake))]: the generator's side of the same equation."""
    return -F.softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """-E[log s(fake)]: Goodfellow et al. (2014, section 3), strong gradients where the critic is sure."""
    return F.softplus(-fake).mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """E[(|d critic(x)/dx| - 1)^2], x uniform on segments from real to fake: Gulrajani et al. (2017, equation 3)."""
    share = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
    x = torch.lerp(real, fake, share).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (torch.linalg.vector_norm(slope.flatten(1), dim=1) - 1).square().mean()


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) | N(0, I)) in nats, (B, latent) -> (B,): Kingma and Welling (2013, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
