"""Masked diffusion: pixels are hidden one after the other in any order, and a net learns to put them back.

Austin, Johnson, Ho, Tarlow, van den Berg, "Structured Denoising Diffusion Models in Discrete State-Spaces", 2021,
arXiv:2107.03006, with an absorbing state; its bound for continuous time as in Sahoo et al., "Simple and Effective
Masked Diffusion Language Models", 2024, arXiv:2406.07524, and Shi et al., "Simplified and Generalized Masked
Diffusion for Discrete Data", 2024, arXiv:2406.04329, with alpha(t) = 1 - t: log p(x) is at least the integral
over t from 0 to 1 of E[sum of log p(x_d | what is shown) over the hidden d] / t, each pixel hidden with probability t.
Given how many are hidden, k of D, the integral over t is done: it is the mean over k = 1, ..., D of D / k E[that sum],
the bound of Uria, Murray, Larochelle, "A Deep and Tractable Density Estimator", 2014, arXiv:1310.1757. Training and
`log_prob` draw k from even strata: D masks, or twice as many, hide each number of pixels as often.

Departure: the net is a small U-Net over one-hot levels, told of k / D; scored and sampled is the average of its weights
(`ema`); ancestral sampling fills as many pixels in each evaluation, give or take one, in place of a binomial number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, optimizers, raster
from models.common.averages import Averaged
from models.common.denoising import SWEEP
from models.common.pixels import check_levels, from_levels, to_levels
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.repair import check_mask
from models.common.timed import velocity_net


class Model(nn.Module):
    given = "nothing"
    bound = True

    def __init__(
        self,
        spec: Spec,
        *,
        lr: float = 3e-4,
        width: int = 128,
        depth: int = 3,
        ema: float = 0.999,
        evaluations: int = 64,
        draws: int = 64,
    ) -> None:
        super().__init__()
        check.images(spec, model="masked_diffusion")
        check.at_least(1, evaluations=evaluations, draws=draws)
        check.positive(lr=lr)
        self.shape, self.levels, self.lr, self.draws = spec.shape, spec.levels, lr, draws
        self.dims = math.prod(spec.shape)
        self.evaluations = min(evaluations, self.dims)
        self.sweeps = {"evaluations": tuple(dict.fromkeys(min(times, self.dims) for times in SWEEP))}
        self.estimator = f"{draws} masks of any order"
        colours, *size = spec.shape
        net = velocity_net(spec._replace(shape=(colours * spec.levels, *size)), width=width, depth=depth)
        self.net = Averaged(net, ema)

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": optimizers.adam(self.net.net.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.bound_move]

    def constrain(self) -> None:
        self.net.update()

    def bound_move(self, batch: Batch) -> Losses:
        n, x = len(batch.x), batch.x
        share = (torch.arange(n, device=x.device) + torch.rand(1, dtype=x.dtype, device=x.device)) / n  # (B,)
        return {"model": -self.bound_given(x, share).mean()}

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """(B, C, H, W), and bool where it is hidden -> (B, C, L, H, W) logits"""
        one_hot = F.one_hot(to_levels(x, self.levels), self.levels).movedim(-1, 2)  # (B, C, L, H, W)
        seen = (one_hot * ~hidden[:, :, None]).to(x.dtype).flatten(1, 2)
        out: Tensor = self.net(seen, hidden.flatten(1).to(x.dtype).mean(1))
        return out.unflatten(1, (-1, self.levels))

    def bound_given(self, x: Tensor, share: Tensor, rng: Generator | None = None) -> Tensor:
        """(B, C, H, W), (B,) in [0, 1] -> (B,) nats of the bound, by one mask each, of that share or a little more"""
        count = ((share * self.dims).long() + 1).clamp(max=self.dims)  # (B,)
        hidden = places(torch.ones_like(x, dtype=torch.bool), rng) < count.view(-1, 1, 1, 1)
        nats = raster.pixel_log_prob(self(x, hidden), x)  # (B, C, H, W)
        return (nats * hidden).flatten(1).sum(1) * (self.dims / count)

    def log_prob(self, x: Tensor) -> Tensor:
        check_levels(x, self.levels)
        rng = Generator(x.device).manual_seed(0)
        start = torch.rand(len(x), generator=rng, dtype=x.dtype, device=x.device)
        return torch.stack([self.bound_given(x, (start + i) / self.draws, rng) for i in range(self.draws)]).mean(0)

    def sample(self, n: int, given: Tensor | None, rng: Generator, *, evaluations: int | None = None) -> Tensor:
        x = next(self.parameters()).new_zeros(n, *self.shape)
        return self.filled(x, torch.ones_like(x, dtype=torch.bool), rng, evaluations)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        check_mask(x, mask)
        x = torch.where(mask, x, x.new_tensor(-1.0))
        check_levels(x, self.levels)
        return self.filled(x, ~mask.expand_as(x), rng)

    @torch.no_grad()
    def filled(self, x: Tensor, hidden: Tensor, rng: Generator, evaluations: int | None = None) -> Tensor:
        """x with what is hidden (B, C, H, W) drawn given the rest, as many pixels of an image in each evaluation."""
        evaluations = self.evaluations if evaluations is None else evaluations
        check.at_least(1, evaluations=evaluations)
        place, count = places(hidden, rng), hidden.flatten(1).sum(1).view(-1, 1, 1, 1)
        steps = min(evaluations, int(count.max()))
        for step in range(steps):
            shown = place < count * (step + 1) // steps
            x = torch.where(hidden & shown, self.draw(x, hidden, rng), x)
            hidden = hidden & ~shown
        return x

    def draw(self, x: Tensor, hidden: Tensor, rng: Generator) -> Tensor:
        """Every pixel, independently, from what the net says of it: (B, C, H, W)"""
        log_p = self(x, hidden).log_softmax(2).movedim(2, -1)  # (B, C, H, W, L)
        chance = torch.rand(x.shape, generator=rng, dtype=x.dtype, device=rng.device)
        level = raster.inverse_distribution(log_p.flatten(0, -2), chance.flatten()).view_as(x)
        return from_levels(level, self.levels, like=x)


def places(hidden: Tensor, rng: Generator | None) -> Tensor:
    """The place of every pixel in an order by chance in which the hidden ones come first: (B, C, H, W), from 0"""
    chance = torch.rand(hidden.shape, generator=rng, device=hidden.device) + ~hidden
    return chance.flatten(1).argsort(1).argsort(1).view(hidden.shape)
