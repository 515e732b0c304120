"""p(x | out) for what a decoder puts out: each scores data in nats, gives its mean and draws from itself.

`out` has the shape of the data, (B, *shape), and no bounds. Every likelihood states what the data's `levels` ask for: a
density of continuous data, a probability of discrete pixels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.autograd.function import once_differentiable

from models.common import check
from models.common.pixels import from_levels, to_levels
from models.common.protocol import Spec

START = 0.3  # of a learned scale, for data about 1 wide
RATE = 0.003  # of the logarithm of a learned scale, which has some units to go
Likelihood = Literal["fitting", "gaussian", "bernoulli", "logistic"]


class Independent(nn.Module, ABC):
    """Given out, the numbers of a datum are independent: their nats add up."""

    @abstractmethod
    def pixel_log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        """(B, *shape) -> (B, *shape) nats: of a density, or of the discrete pixels"""

    @abstractmethod
    def mean(self, out: Tensor) -> Tensor:
        """(B, *shape)"""

    @abstractmethod
    def draw(self, out: Tensor, rng: Generator) -> Tensor:
        """(B, *shape)"""

    def log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats: of a density, or of the discrete pixels"""
        return self.pixel_log_prob(x, out).flatten(1).sum(1)


class Scaled(Independent):
    """With one learned scale (Rybkin, Daniilidis, Levine, "Simple and Effective VAE Training with Calibrated Decoders",
    2020, arXiv:2006.13202), which Adam moves by RATE a step, whatever the rate `lr` of the net.

    Adam moves every number by about its rate, and a scale has as far to go as all of a net's weights together: at a low
    rate of the net's it would be on its way when training ends, and samples and likelihoods would tell of the rate. It
    begins below the spread of the data: once a scale is as wide as they are, codes are of no use, and are given up (on
    a ring of Gaussians, from a scale of 1, by one of three seeds of `vae`; at 0.01 a step by all, and by `iwae`). What
    is learned is the logarithm in units of RATE / lr.
    """

    def __init__(self, lr: float = RATE) -> None:
        super().__init__()
        self.unit = RATE / lr
        self.steps = nn.Parameter(torch.tensor(math.log(START) / self.unit))

    @property
    def log_scale(self) -> Tensor:
        return self.unit * self.steps  # ()

    @torch.no_grad()
    def set_scale(self, log_scale: Tensor | float) -> None:
        self.steps.copy_(torch.as_tensor(log_scale, dtype=self.steps.dtype) / self.unit)


class Gaussian(Scaled):
    """N(x; out, scale^2)."""

    def pixel_log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        constant = self.log_scale + 0.5 * math.log(2 * math.pi)
        return -0.5 * (x - out).square() * (-2 * self.log_scale).exp() - constant

    def mean(self, out: Tensor) -> Tensor:
        return out

    def draw(self, out: Tensor, rng: Generator) -> Tensor:
        chance = torch.randn(out.shape, generator=rng, dtype=out.dtype, device=rng.device)
        return out + self.log_scale.exp() * chance


class Bernoulli(Independent):
    """Pixels of two levels, -1 and 1; out is the log odds of 1."""

    def pixel_log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        return F.logsigmoid(x * out)

    def mean(self, out: Tensor) -> Tensor:
        return torch.tanh(out / 2)

    def draw(self, out: Tensor, rng: Generator) -> Tensor:
        return 2 * torch.bernoulli(out.sigmoid(), generator=rng) - 1


class Discretised(Scaled):
    """Pixels of `levels` levels under a law of mean out and that scale, discretised as in Salimans et al.,
    "PixelCNN++", 2017, arXiv:1701.05517, equation 2: a level has the mass of its bin, the outermost bins reach to
    infinity, so that the levels' probabilities sum to one."""

    def __init__(self, levels: int, lr: float = RATE) -> None:
        super().__init__(lr)
        self.levels = levels

    @staticmethod
    @abstractmethod
    def log_mass(middle: Tensor, reach: Tensor, top: Tensor, bottom: Tensor) -> Tensor:
        """The log of the law's mass in middle - reach to middle + reach, in units of its scale; above that, too, at the
        top, and below at the bottom."""

    @staticmethod
    @abstractmethod
    def noise(out: Tensor, rng: Generator) -> Tensor:
        """Draws of the law of mean 0 and scale 1, of the shape of out."""

    def pixel_log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        half, precision = 1 / (self.levels - 1), (-self.log_scale).exp()
        return self.log_mass((x - out) * precision, half * precision, x > 1 - half, x < half - 1)

    def mean(self, out: Tensor) -> Tensor:
        """The mean before discretisation, on the range of the levels."""
        return out.clamp(-1, 1)

    def draw(self, out: Tensor, rng: Generator) -> Tensor:
        x = out + self.log_scale.exp() * self.noise(out, rng)
        return from_levels(to_levels(x, self.levels), self.levels, like=out)


class Logistic(Discretised):
    """The logistic law (Kingma et al., 2016, arXiv:1606.04934)."""

    @staticmethod
    def log_mass(middle: Tensor, reach: Tensor, top: Tensor, bottom: Tensor) -> Tensor:
        # log(s(upper) - s(lower)) without the difference of two numbers that may both round to 1
        within = (-torch.expm1(-2 * reach)).log().expand_as(middle).masked_fill(top | bottom, 0.0)
        below = F.logsigmoid(middle + reach).masked_fill(top, 0.0)
        return within + below + F.logsigmoid(reach - middle).masked_fill(bottom, 0.0)

    @staticmethod
    def noise(out: Tensor, rng: Generator) -> Tensor:
        chance = torch.rand(out.shape, generator=rng, dtype=out.dtype, device=rng.device)
        return torch.logit(chance, eps=1e-7)


class DiscretisedGaussian(Discretised):
    """The normal law."""

    @staticmethod
    def log_mass(middle: Tensor, reach: Tensor, top: Tensor, bottom: Tensor) -> Tensor:
        return _LogMass.apply(middle, reach, top, bottom)

    @staticmethod
    def noise(out: Tensor, rng: Generator) -> Tensor:
        return torch.randn(out.shape, generator=rng, dtype=out.dtype, device=rng.device)


class _LogMass(torch.autograd.Function):
    """log(F(middle + reach) - F(middle - reach)) of the normal distribution function F. PyTorch computes log F, and its
    gradient, number by number on a CPU."""

    @staticmethod
    def forward(ctx: Any, middle: Tensor, reach: Tensor, top: Tensor, bottom: Tensor) -> Tensor:
        # Mirrored to where F is small, and its logarithm exact. A bin at an end has no edge on the far side, hence low.
        side = middle.sign().masked_fill_(top, 1.0).masked_fill_(bottom, -1.0)
        away = middle * side
        low, high = (-reach - away).masked_fill_(top | bottom, -torch.inf), reach - away
        beyond, _ = log_ndtr(low)
        upto, excess = log_ndtr(high)
        share = (beyond - upto).clamp_(max=-1e-12).expm1_().neg_().log_()
        ctx.save_for_backward(side, low, high, excess.add_(share))
        return upto.add_(share)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        side, low, high, excess = ctx.saved_tensors
        at_high = (excess + 0.5 * math.log(2 * math.pi)).neg_().exp_().mul_(grad)  # density over mass
        at_low = (low - high).mul_(low + high).mul_(-0.5).exp_().mul_(at_high)
        return (at_low - at_high).mul_(side), (at_low + at_high).sum(), None, None


def log_ndtr(z: Tensor) -> tuple[Tensor, Tensor]:
    """log F(z) of the normal distribution function F, and log F(z) + z^2 / 2, which stays small where F vanishes."""
    cut = 12 if z.dtype == torch.float32 else 25  # erfc has not vanished there, and the series is exact from there
    square = z.square()
    near = torch.erfc(z * -math.sqrt(0.5)).mul_(0.5).log_()
    # Abramowitz, Stegun, "Handbook of Mathematical Functions", 1964, equation 26.2.12
    far = square.clamp(min=cut**2)
    inverse, series = far.reciprocal(), torch.full_like(far, 10395)
    for coefficient in (-945, 105, -15, 3, -1, 1):
        series = series.mul_(inverse).add_(coefficient)
    far = series.mul_(far.rsqrt_()).log_().sub_(0.5 * math.log(2 * math.pi))
    vanishing, half = z < -cut, square.mul_(0.5)
    return torch.where(vanishing, far - half, near), torch.where(vanishing, far, near + half)


def gaussian(spec: Spec) -> Scaled:
    """The normal law, discretised where the data are."""
    return DiscretisedGaussian(spec.levels) if spec.levels else Gaussian()


def of(spec: Spec, name: Likelihood = "fitting", lr: float = RATE) -> Independent:
    """What is named, for data of `spec` and nets of rate `lr`; `fitting` is the first that fits. Raises ValueError for
    one that does not."""
    check.one_of(get_args(Likelihood), likelihood=name)
    fit: dict[str, Callable[[], Independent]] = {"gaussian": partial(Gaussian, lr)}
    if spec.levels:
        fit = {"bernoulli": Bernoulli} if spec.levels == 2 else {}
        fit |= {
            "logistic": partial(Logistic, spec.levels, lr),
            "gaussian": partial(DiscretisedGaussian, spec.levels, lr),
        }
    chosen = next(iter(fit)) if name == "fitting" else name
    if chosen not in fit:
        data = f"data of {spec.levels} levels" if spec.levels else "continuous data"
        raise ValueError(f"likelihood = {name} does not fit {data} of shape {spec.shape}: choose {' or '.join(fit)}")
    return fit[chosen]()
