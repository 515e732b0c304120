"""MeanFlow: a net learns the mean velocity between two times, so that one evaluation leads from noise to data.

Geng, Deng, Bai, Kolter, He, "Mean Flows for One-step Generative Modeling", 2025, arXiv:2505.13447: equations 6 and 8 to
12, algorithms 1 and 2, the adaptive weights of section 4.3 with c = 0.001. Time runs from data at 0 to noise at 1.

Departure: small nets (`models.common.timed`), which are told t and t - r, times `haste`; no guidance; discrete data are
dequantised uniformly in training. With more evaluations than one the way is cut into equal parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor

from models.common import check
from models.common.denoising import Denoising, normal_of
from models.common.pixels import dequantised
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.timed import along

FLOOR = 1e-3  # c


class Model(Denoising):
    """Of a minibatch, `apart` is the share for which r differs from t. Both are logistic functions of normal draws with
    mean and s.d. `logit`. A squared error is divided by its power `p`, so that 0 leaves it as it is."""

    times = 2

    def __init__(
        self,
        spec: Spec,
        *,
        apart: float = 0.25,
        logit: tuple[float, float] = (-0.4, 1.0),
        p: float = 1.0,
        haste: float = 1.0,
        evaluations: int = 1,
        ema: float = 0.999,
        lr: float = 6e-4,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__(spec, ema=ema, lr=lr, width=width, depth=depth)
        check.decay(apart=apart)
        check.at_least(0, p=p)
        check.at_least(1, evaluations=evaluations)
        self.logit_mean, self.logit_sd = normal_of(logit=logit)
        check.positive(haste=haste)
        self.apart, self.p, self.haste, self.asked = apart, p, haste, evaluations

    @property
    def sweeps(self) -> dict[str, tuple[float, ...]]:
        return {"evaluations": (1, 2, 4, 8)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.mean_velocity_move]

    def mean_velocity_move(self, batch: Batch) -> Losses:
        x = dequantised(batch.x, self.levels)
        apart, noise = math.ceil(self.apart * len(x)), torch.randn_like(x)
        t, r = self.drawn_times(x, apart)
        z, v = torch.lerp(x, noise, along(t, x)), noise - x
        with torch.autocast(x.device.type, enabled=False):
            found, target = self.velocity(z, t, r), v.clone()
            target[:apart] -= along(t - r, x)[:apart] * self.change(z[:apart], v[:apart], t[:apart], r[:apart])
        error = (found - target).square().flatten(1).sum(1)  # (B,)
        return {"model": (error / (error.detach() + FLOOR) ** self.p).mean()}

    def drawn_times(self, x: Tensor, apart: int) -> tuple[Tensor, Tensor]:
        """t >= r, (B,) each, equal but for the first `apart`"""
        normal = torch.randn(2, len(x), dtype=x.dtype, device=x.device)
        t, r = (self.logit_mean + self.logit_sd * normal).sigmoid().sort(0, descending=True).values
        return t, torch.cat([r[:apart], t[apart:]])

    @torch.enable_grad()
    def change(self, z: Tensor, v: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """du/dt along the path, with dz/dt = v and dr/dt = 0 (equation 8): a product with the Jacobian from the right,
        as the derivative of products from the left, since forward mode knows no tensors without content."""
        z, t = z.detach().requires_grad_(), t.detach().requires_grad_()
        found = self.velocity(z, t, r)
        left = torch.zeros_like(found, requires_grad=True)
        products = torch.autograd.grad(found, (z, t), left, create_graph=True)
        return torch.autograd.grad(products, left, (v, torch.ones_like(t)))[0]

    def velocity(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """u(z, r, t), the mean velocity from r to t: (B, *shape), (B,), (B,) -> (B, *shape)"""
        answer: Tensor = self.net(z, self.haste * torch.stack([t, t - r], 1))
        return answer

    def sample(self, n: int, given: Tensor | None, rng: Generator, *, evaluations: int | None = None) -> Tensor:
        (steps, _), z = self.budget(evaluations), self.normal(n, rng)
        for t, r in pairwise(torch.linspace(1, 0, steps + 1, dtype=z.dtype, device=z.device)):
            z = z - (t - r) * self.velocity(z, t.expand(n), r.expand(n))
        return self.bounded(z)
