"""p(x | out) for what a decoder puts out: each scores data in nats, gives its mean and draws from itself.

`out` has the shape of the data, (B, *shape), and no bounds.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.common.pixels import from_levels, to_levels
from models.common.protocol import Spec


class Gaussian(nn.Module):
    """N(x; out, scale^2) with one learned scale (Rybkin, Daniilidis, Levine, "Simple and Effective VAE Training with
    Calibrated Decoders", 2020, arXiv:2006.13202)."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(()))

    def log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats of a density"""
        distance = (x - out).flatten(1).square().sum(1)
        constant = x[0].numel() * (self.log_scale + 0.5 * math.log(2 * math.pi))
        return -0.5 * distance * (-2 * self.log_scale).exp() - constant

    def mean(self, out: Tensor) -> Tensor:
        return out

    def draw(self, out: Tensor, rng: Generator) -> Tensor:
        chance = torch.randn(out.shape, generator=rng, dtype=out.dtype, device=rng.device)
        return out + self.log_scale.exp() * chance


class Bernoulli(nn.Module):
    """Pixels of two levels, -1 and 1; out is the log odds of 1."""

    def log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats of the discrete pixels"""
        return F.logsigmoid(x * out).flatten(1).sum(1)

    def mean(self, out: Tensor) -> Tensor:
        return torch.tanh(out / 2)

    def draw(self, out: Tensor, rng: Generator) -> Tensor:
        return 2 * torch.bernoulli(out.sigmoid(), generator=rng) - 1


class Logistic(nn.Module):
    """Pixels of `levels` levels: a logistic of mean out and one learned scale (Kingma et al., 2016, arXiv:1606.04934),
    discretised as in Salimans et al., "PixelCNN++", 2017, arXiv:1701.05517, equation 2: a level has the mass of its
    bin, the outermost bins reach to infinity, so that the levels' probabilities sum to one."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.log_scale = nn.Parameter(torch.zeros(()))

    def log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        """(B, *shape) on the levels -> (B,) nats of the discrete pixels"""
        half, precision = 1 / (self.levels - 1), (-self.log_scale).exp()
        upper = torch.where(x > 1 - half, torch.inf, (x - out + half) * precision)
        lower = torch.where(x < half - 1, -torch.inf, (x - out - half) * precision)
        # log(s(upper) - s(lower)) without the difference of two numbers that may both round to 1
        mass = F.logsigmoid(upper) + F.logsigmoid(-lower) + (-torch.expm1(lower - upper)).log()
        return mass.flatten(1).sum(1)

    def mean(self, out: Tensor) -> Tensor:
        """The mean before discretisation, on the range of the levels."""
        return out.clamp(-1, 1)

    def draw(self, out: Tensor, rng: Generator) -> Tensor:
        chance = torch.rand(out.shape, generator=rng, dtype=out.dtype, device=rng.device)
        x = out + self.log_scale.exp() * torch.logit(chance, eps=1e-7)
        return from_levels(to_levels(x, self.levels), self.levels, like=out)


def fitting(spec: Spec) -> nn.Module:
    """Bernoulli for two levels, Logistic for more, Gaussian for continuous data: so log_prob is what `levels` says."""
    if spec.levels == 0:
        return Gaussian()
    return Bernoulli() if spec.levels == 2 else Logistic(spec.levels)
