"""What flow matching and rectified flow share: straight paths from noise to data, a net that learns the velocity along
them, and the differential equation that follows it, with the density that it carries along.

Lipman, Chen, Ben-Hamu, Nickel, Le, "Flow Matching for Generative Modeling", 2022, arXiv:2210.02747, equations 20 to 23;
Tong, Fatras, Malkin, Huguet, Zhang, Rector-Brooks, Wolf, Bengio, "Improving and Generalizing Flow-Based Generative
Models with Minibatch Optimal Transport", 2023, arXiv:2302.00482, equations 14 to 16 with sigma = 0.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, ode
from models.common.codes import standard_normal
from models.common.denoising import Continuous
from models.common.ode import Field, Step, euler, heun, midpoint, walk
from models.common.pixels import dequantised
from models.common.protocol import Batch, Losses, Spec
from models.common.repair import repaint
from models.common.timed import along

STEPS: dict[str, tuple[Step, int]] = {"euler": (euler, 1), "midpoint": (midpoint, 2), "heun": (heun, 2)}


def straight_loss(velocity: Field, start: Tensor, end: Tensor) -> Losses:
    """E |v(x_t, t) - (x_1 - x_0)|^2, t uniform: (B, *shape), (B, *shape)"""
    t = torch.rand(len(end), dtype=end.dtype, device=end.device)
    return {"model": (velocity(torch.lerp(start, end, along(t, end)), t) - (end - start)).square().mean()}


def angle(share: Tensor) -> Tensor:
    """From a right angle, of data, to 0, of noise: slower near the data."""
    return math.pi / 2 * (1 - share.square())


def clipped(optimizer: Optimizer, norm: float) -> Optimizer:
    """The same one, all gradients together no longer than `norm`."""
    owned = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def clip(*_: Any) -> None:
        torch.nn.utils.clip_grad_norm_(owned, norm)

    optimizer.register_step_pre_hook(clip)
    return optimizer


class Matching(Continuous):
    """x_t = (1 - t) x_0 + t x_1 from noise x_0 to a datum x_1, whose velocity is x_1 - x_0. After i of N steps
    that follow it, (1 - i/N) to `power` is left of the way."""

    def __init__(
        self,
        spec: Spec,
        *,
        solver: Literal["euler", "midpoint", "heun"] = "midpoint",
        evaluations: int = 64,
        power: float = 1.0,
        clip: float = 1.0,
        **base: Any,
    ) -> None:
        super().__init__(spec, **base)
        check.one_of(STEPS, solver=solver)
        check.at_least(1, evaluations=evaluations, power=power)
        check.positive(clip=clip)
        (self.step, self.cost), self.asked, self.power, self.clip = STEPS[solver], evaluations, power, clip
        self.spread = nn.Buffer(torch.ones(()))  # of the data, the root mean square of the first minibatch
        self.estimator = self.carried_along("ODE")

    def optimizers(self) -> dict[str, Optimizer]:
        return {name: clipped(optimizer, self.clip) for name, optimizer in super().optimizers().items()}

    def data(self, batch: Batch) -> Tensor:
        """What paths lead to: (B, *shape)"""
        x = dequantised(batch.x, self.levels)
        self.from_first(batch, x, self.spread)
        return x

    def matching_loss(self, start: Tensor, end: Tensor, label: Tensor | None = None) -> Losses:
        """E |v(x_t, t) - (x_1 - x_0)|^2, t uniform: (B, *shape), (B, *shape), (B,)"""
        return straight_loss(lambda x, t: self.ask(x, t, label), start, end)

    def grid(self, steps: int, power: float) -> Tensor:
        """(steps + 1,) times from 0 to 1"""
        like = next(self.parameters())
        left = torch.linspace(1, 0, steps + 1, dtype=like.dtype, device=like.device)
        return 1 - left**power

    def asks(self, times: int) -> int:
        return max(1, times // self.cost * self.cost)

    def way(self, asked: int) -> tuple[Step, Tensor]:
        """The steps that may ask so often, and their times; where it is once only, Euler's."""
        step, cost = (self.step, self.cost) if asked >= self.cost else (euler, 1)
        return step, self.grid(asked // cost, self.power)

    def follow(self, x: Tensor, label: Tensor | None = None, *, asked: int, guidance: float = 1.0) -> Tensor:
        """The end of the way from noise x."""
        step, times = self.way(asked)
        return walk(step, lambda x, t: self.ask(x, t.expand(len(x)), label, guidance), x, times)

    def sample(
        self,
        n: int,
        given: Tensor | None,
        rng: Generator,
        *,
        evaluations: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        (asked, w), label = self.budget(evaluations, guidance), self.told(n, given)
        return self.bounded(self.follow(self.normal(n, rng), label, asked=asked, guidance=w))

    @torch.no_grad()
    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        step, times = self.way(self.asked)

        def back(x: Tensor, u: Tensor, t: Tensor) -> Tensor:
            kept = t / u  # of the datum's part u, so that it is t
            return kept * x + ((1 - t).square() - (kept * (1 - u)).square()).sqrt() * self.normal(len(x), rng)

        filled = repaint(
            x,
            mask,
            self.normal(len(x), rng),
            list(times),
            noised=lambda x, u: torch.lerp(self.normal(len(x), rng), x, u),
            step=lambda x, t, u: step(lambda x, t: self.ask(x, t.expand(len(x))), x, t, u),
            back=back,
        )
        return self.bounded(filled)

    def log_density(self, x: Tensor, exact: int) -> Tensor:
        """(B, *shape) -> (B,) nats"""
        noise, expansion = ode.expand(self.turning, x / self.spread, angle, self.nodes, exact)
        return expansion + standard_normal(noise.flatten(1)) - x[0].numel() * self.spread.log()

    def turning(self, u: Tensor, angle: Tensor) -> Tensor:
        """du/d(angle), u being x over its spread and the angle's tangent that of the datum's part over the noise's: the
        same way, which takes fewer steps, since u stands still where the data are one Gaussian of that spread."""
        t = angle.sin() / (angle.sin() + self.spread * angle.cos())
        scale = torch.hypot(self.spread * t, 1 - t)
        velocity = self.ask(scale * u, t.expand(len(u)))
        return (scale * velocity - (self.spread.square() * t - (1 - t)) * u) / self.spread
