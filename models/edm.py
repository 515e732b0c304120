"""EDM: a denoiser for all levels of noise, and the differential equation that leads from noise to data.

Karras, Aittala, Aila, Laine, "Elucidating the Design Space of Diffusion-Based Generative Models", 2022,
arXiv:2206.00364: equations 3, 5, 7 and 8, table 1 (right column), algorithm 1. The likelihood: Song, Sohl-Dickstein,
Kingma, Kumar, Ermon, Poole, "Score-Based Generative Modeling through Stochastic Differential Equations", 2020,
arXiv:2011.13456, section 4.3, with the exact divergence of small data (`models.common.ode`). Classifier-free guidance:
arXiv:2207.12598.

Departure: small nets (`models.common.timed`), without augmentation and dropout; sigma_data is the root mean square of
the first minibatch, not 0.5; discrete data are dequantised uniformly, in training, too. The density is that of the
equation at sigma_min, not at 0; it, and so the bound of discrete data, is right as far as `nodes` of its
divergence tell its integral.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.common import check, ode
from models.common.denoising import Continuous, normal_of
from models.common.ode import Field, euler, heun, walk
from models.common.pixels import dequantised
from models.common.protocol import Batch, Losses, Spec
from models.common.repair import repaint
from models.common.timed import along


class Model(Continuous):
    def __init__(
        self,
        spec: Spec,
        *,
        log_noise: tuple[float, float] = (-1.2, 1.2),
        sigma_min: float = 0.002,
        sigma_max: float = 80.0,
        rho: float = 7.0,
        evaluations: int = 35,
        **base: Any,
    ) -> None:
        super().__init__(spec, **base)
        check.positive(sigma_min=sigma_min, sigma_max=sigma_max, rho=rho)
        if sigma_max <= sigma_min:
            raise ValueError(f"sigma_max = {sigma_max}: must be above sigma_min = {sigma_min}")
        check.at_least(1, evaluations=evaluations)
        self.p_mean, self.p_std = normal_of(log_noise=log_noise)
        self.sigma_min, self.sigma_max, self.rho = sigma_min, sigma_max, rho
        self.asked = evaluations
        self.sigma_data = nn.Buffer(torch.tensor(0.5))
        self.estimator = self.carried_along(f"ODE from sigma {sigma_min:g}")

    def denoising_move(self, batch: Batch) -> Losses:
        x = dequantised(batch.x, self.levels)
        self.from_first(batch, x, self.sigma_data)
        noise = torch.randn(len(x), dtype=x.dtype, device=x.device)
        sigma = (self.p_mean + self.p_std * noise).exp()  # (B,)
        found = self.denoise(x + along(sigma, x) * torch.randn_like(x), sigma, self.label(batch))
        weight = (sigma.square() + self.sigma_data.square()) / (sigma * self.sigma_data).square()
        return {"model": (along(weight, x) * (found - x).square()).mean()}

    def denoise(self, x: Tensor, sigma: Tensor, label: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        """D(x; sigma), the mean of the data that become x: (B, *shape), (B,) -> (B, *shape)"""
        total = sigma.square() + self.sigma_data.square()
        skip, out = self.sigma_data.square() / total, sigma * self.sigma_data * total.rsqrt()
        answer = self.ask(along(total.rsqrt(), x) * x, sigma.log() / 4, label, guidance)
        return along(skip, x) * x + along(out, x) * answer

    def spread(self, share: Tensor, first: float | Tensor, last: float | Tensor) -> Tensor:
        """Numbers from the first, at share 0, to the last, at 1, as equation 5 spreads levels of noise."""
        ends = [end ** (1 / self.rho) for end in (first, last)]
        return (ends[0] + share * (ends[1] - ends[0])) ** self.rho

    def asks(self, times: int) -> int:
        return times - 1 + times % 2  # Heun's steps take two, the last, to 0, is Euler's

    def sample(
        self,
        n: int,
        given: Tensor | None,
        rng: Generator,
        *,
        evaluations: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        (times, w), label = self.budget(evaluations, guidance), self.told(n, given)

        def field(x: Tensor, sigma: Tensor) -> Tensor:
            return self.slope(x, sigma, label, w)

        x = self.sigma_max * self.normal(n, rng)
        return self.bounded(follow(field, x, self.timetable(times)))

    def timetable(self, times: int) -> Tensor:
        """Levels of noise from the largest to 0, of a sampler that may ask so often."""
        share = torch.linspace(0, 1, (times + 1) // 2, dtype=self.sigma_data.dtype, device=self.sigma_data.device)
        sigma = self.spread(share, self.sigma_max, self.sigma_min)
        return torch.cat([sigma, sigma.new_zeros(1)])

    def slope(self, x: Tensor, sigma: Tensor, label: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        """dx/d(sigma), equations 1 and 3: (B, *shape), () -> (B, *shape)"""
        return (x - self.denoise(x, sigma.expand(len(x)), label, guidance)) / sigma

    @torch.no_grad()
    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        filled = repaint(
            x,
            mask,
            self.sigma_max * self.normal(len(x), rng),
            list(self.timetable(self.asked)),
            noised=lambda x, sigma: x + sigma * self.normal(len(x), rng),
            step=lambda x, sigma, to: (heun if to else euler)(self.slope, x, sigma, to),
            back=lambda x, low, high: x + (high.square() - low.square()).sqrt() * self.normal(len(x), rng),
        )
        return self.bounded(filled)

    def log_density(self, x: Tensor, exact: int) -> Tensor:
        """(B, *shape) -> (B,) nats

        In u = x / sqrt(sigma^2 + sigma_data^2) and the angle whose tangent is sigma / sigma_data, the equation is that
        u falls as the net says: nothing is left to solve where the data are one Gaussian.
        """
        sigma = torch.stack([self.sigma_data.new_tensor(end) for end in (self.sigma_min, self.sigma_max)])
        first, last = (sigma.square() + self.sigma_data.square()).sqrt()

        def field(u: Tensor, angle: Tensor) -> Tensor:
            return -self.ask(u, (self.sigma_data * angle.tan()).log().div(4).expand(len(u)))

        ends = (sigma / self.sigma_data).atan()
        u, expansion = ode.expand(field, x / first, lambda share: self.spread(share, *ends), self.nodes, exact)
        z, spread = u.flatten(1) * last / sigma[1], first * sigma[1] / last
        return expansion - (0.5 * z.square() + 0.5 * math.log(2 * math.pi) + spread.log()).sum(1)


def follow(field: Field, x: Tensor, sigma: Tensor) -> Tensor:
    """Heun's steps between levels of noise (N + 1,), the last one, to 0, Euler's: algorithm 1, 2N - 1 evaluations."""
    x = walk(heun, field, x, sigma[:-1])
    return euler(field, x, sigma[-2], sigma[-1])
