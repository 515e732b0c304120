"""What models that learn to turn noise into data share: a net over time, its average, and labels that may be left out.

A model file inherits from `Denoising`, and states its noise, its loss and its sampler.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, ode, optimizers
from models.common.averages import Averaged
from models.common.nets import with_classes
from models.common.pixels import check_levels, dequantised
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.timed import forget, guided, passes, velocity_net

SWEEP = (1, 2, 4, 8, 16, 32, 64, 128)
GUIDANCE = (0.0, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0)
SCORED = 1000  # large images whose likelihood is asked for: that of one takes as long as some samples


class Denoising(nn.Module):
    """With `conditional`, `left_out` is the chance that a label is left out in training, and `guidance` how much of it
    counts in sampling (`timed.guided`). Likelihoods are then those of the net without labels."""

    given = "nothing"
    asked: int  # how often a sampler may ask the net for a sample
    times = 1  # that the net is told

    def __init__(
        self,
        spec: Spec,
        *,
        conditional: bool = False,
        left_out: float = 0.1,
        guidance: float = 1.0,
        ema: float = 0.999,
        lr: float = 1e-3,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.decay(left_out=left_out)
        check.at_least(0, guidance=guidance)
        if not conditional and (guidance, left_out) != (1.0, 0.1):
            raise ValueError(f"guidance = {guidance}, left_out = {left_out}: these need conditional = True")
        check.positive(lr=lr)
        if conditional:
            with_classes(spec)  # refuses unlabelled data
            self.given = "label"
        self.shape, self.levels, self.classes = spec.shape, spec.levels, spec.classes * conditional
        self.left_out, self.guidance, self.lr = left_out, guidance, lr
        self.scored = SCORED if math.prod(spec.shape) > ode.EXACT else None
        self.net = Averaged(velocity_net(spec, width=width, depth=depth, classes=self.classes, times=self.times), ema)

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": optimizers.adam(self.net.net.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.denoising_move]

    def denoising_move(self, batch: Batch) -> Losses:
        raise NotImplementedError

    def constrain(self) -> None:
        self.net.update()

    @property
    def sweeps(self) -> dict[str, tuple[float, ...]]:
        taken = tuple(dict.fromkeys(self.asks(times) for times in SWEEP))  # what a sampler takes of what it is let
        return {"evaluations": taken} | ({"guidance": GUIDANCE} if self.classes else {})

    def from_first(self, batch: Batch, x: Tensor, scale: Tensor) -> None:
        """The scale is the root mean square of x if the batch is the first."""
        scale.copy_(torch.where(check.told(batch.step, "step") == 0, x.square().mean().sqrt(), scale))

    def label(self, batch: Batch) -> Tensor | None:
        """What the net is told in training, (B,) where the number `classes` is no label."""
        return forget(check.told(batch.label), self.left_out, self.classes) if self.classes else None

    def told(self, n: int, given: Tensor | None) -> Tensor | None:
        """What it is told in sampling. Raises ValueError where labels are missing."""
        if not self.classes:
            return None
        if given is None or len(given) != n:
            raise ValueError(f"{n} samples need {n} labels, given are {given if given is None else len(given)}")
        return given

    def ask(self, x: Tensor, t: Tensor, label: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        return guided(self.net, x, t, label, guidance, self.classes)  # (B, *shape), (B,), (B,) -> (B, *shape)

    def budget(self, evaluations: int | None = None, guidance: float | None = None) -> tuple[int, float]:
        """How often a sampler may ask, and the guidance, which has no part in that, so that guided samples take as many
        steps. None: the model's own."""
        asked = self.asked if evaluations is None else evaluations
        check.at_least(1, evaluations=asked)
        w = self.guidance if guidance is None else guidance
        check.at_least(0, guidance=w)
        return asked, w

    @property
    def evaluations(self) -> int:
        """Of the net for one sample: twice as many as a sampler asks where each answer takes two."""
        times, w = self.budget()
        return self.asks(times) * passes(self.classes, w)

    def stated(self, how: str) -> str:
        """In words, what likelihood the model states."""
        few = f", of {self.scored:,} data" if self.scored else ""
        return how + ", without labels" * bool(self.classes) + few

    def asks(self, times: int) -> int:
        """How often the sampler asks where it may ask so often: as often where it may ask that often."""
        return times

    def normal(self, n: int, rng: Generator) -> Tensor:
        """(n, *shape) standard normal draws"""
        like = next(self.parameters())
        return torch.randn(n, *self.shape, generator=rng, dtype=like.dtype, device=rng.device)

    def bounded(self, x: Tensor) -> Tensor:
        """Samples in the range of the data."""
        return x.clamp(-1, 1) if len(self.shape) == 3 else x


class Continuous(Denoising):
    """Whose sampler follows a differential equation, which carries a density along: of `nodes` divergences
    (`models.common.ode`), 0 being as many as the data need. Discrete data are dequantised uniformly."""

    def __init__(self, spec: Spec, *, nodes: int = 0, **base: Any) -> None:
        super().__init__(spec, **base)
        check.at_least(0, nodes=nodes)
        self.nodes = nodes or (16 if len(spec.shape) > 1 else 64)  # ways part suddenly between clusters of points
        self.bound = spec.levels > 0

    def carried_along(self, way: str) -> str:
        """In words, the likelihood by an equation that is called so."""
        return self.stated("dequantised, " * self.bound + f"{way}, {ode.divergences(self.nodes, self.shape)}")

    def log_density(self, x: Tensor, exact: int) -> Tensor:
        """(B, *shape) -> (B,) nats of continuous data, with exact divergences up to so many dimensions"""
        raise NotImplementedError

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats: of the density, or of the discrete pixels"""
        return self.nats(x, ode.EXACT)

    def rough_log_prob(self, x: Tensor) -> Tensor:
        """An estimate of it without bias, in a fraction of the time: (B, *shape) -> (B,)"""
        return self.nats(x, ode.FEW)

    def nats(self, x: Tensor, exact: int) -> Tensor:
        if not self.levels:
            return self.log_density(x, exact)
        check_levels(x, self.levels)
        x = dequantised(x, self.levels, Generator(x.device).manual_seed(0))
        return self.log_density(x, exact) + x[0].numel() * math.log(2 / (self.levels - 1))


def normal_of(**pairs: tuple[float, float]) -> tuple[float, float]:
    """The mean and the standard deviation that a hyperparameter gives: normal_of(log_noise=(-1.2, 1.2))"""
    ((name, pair),) = pairs.items()
    if len(pair) != 2 or not (math.isfinite(pair[0]) and 0 < pair[1] < math.inf):
        raise ValueError(f"{name} = {list(pair)}: must be a mean and a standard deviation above 0, such as [-1.2, 1.2]")
    return pair[0], pair[1]
