"""DDPM: noise taken from data a little at a time, each time by a Gaussian whose mean a net has learnt.

Ho, Jain, Abbeel, "Denoising Diffusion Probabilistic Models", 2020, arXiv:2006.11239: equations 5 to 8, 13 and 14,
algorithms 1 and 2, variances of the posterior. The cosine schedule and sampling on fewer steps: Nichol, Dhariwal,
"Improved Denoising Diffusion Probabilistic Models", 2021, arXiv:2102.09672, equations 17 and 19. Prediction of v:
Salimans, Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", 2022, arXiv:2202.00512. `ddim`: Song,
Meng, Ermon, "Denoising Diffusion Implicit Models", 2020, arXiv:2010.02502, equations 12 and 16 with eta = 0, and
section D.2. Holes: Lugmayr et al., "RePaint", 2022, arXiv:2201.09865, algorithm 1. Guidance: arXiv:2207.12598.

Departure: small nets (`models.common.timed`), told the logarithm of noise over signal; no clipping, no warm-up. Points
are divided by the first minibatch's root mean square, guesses clamped to the largest number seen. `offset`, the paper's
s: for a first noise below a grey level. `optimal` variances are those of Bao et al., "Analytic-DPM", 2022,
arXiv:2201.06503, theorem 1, from errors in training: points then end in noise. The bound sums `terms`, one a stratum.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from models.common import check, likelihoods
from models.common.cosine import Cosine, Errors
from models.common.denoising import Denoising
from models.common.pixels import check_levels
from models.common.protocol import Batch, Losses, Spec
from models.common.repair import repaint


class Model(Denoising):
    bound = True

    def __init__(
        self,
        spec: Spec,
        *,
        prediction: Literal["eps", "v"] = "eps",
        sampler: Literal["ancestral", "ddim"] = "ancestral",
        spacing: Literal["even", "quadratic"] = "even",
        variance: Literal["posterior", "optimal"] = "posterior",
        steps: int = 1000,
        offset: float = 0.008,
        evaluations: int = 64,
        terms: int = 64,
        lr: float = 2e-4,
        **base: Any,
    ) -> None:
        super().__init__(spec, lr=lr, **base)
        check.one_of(("eps", "v"), prediction=prediction)
        check.one_of(("ancestral", "ddim"), sampler=sampler)
        check.one_of(("even", "quadratic"), spacing=spacing)
        check.one_of(("posterior", "optimal"), variance=variance)
        check.at_least(2, steps=steps)
        check.at_least(1, evaluations=evaluations, terms=terms)
        check.positive(offset=offset)
        self.eps, self.eta = prediction == "eps", float(sampler == "ancestral")
        self.asked, self.power = evaluations, 1 + (spacing == "quadratic")
        self.noise, self.steps, self.terms = Cosine(steps, offset), steps, min(terms, steps - 1)
        self.decoder = likelihoods.gaussian(spec).requires_grad_(False)  # of step 0 given step 1
        self.points, self.optimal, self.off = len(spec.shape) == 1, variance == "optimal", Errors(steps)
        self.scale, self.reach = nn.Buffer(torch.ones(())), nn.Buffer(torch.ones(()))
        how = f"variational, {self.terms + 1} of {steps} terms" + ", ancestral" * (sampler == "ddim")
        self.estimator = self.stated(how)

    def denoising_move(self, batch: Batch) -> Losses:
        x = self.in_units(batch) if self.points else batch.x
        t = torch.randint(1, self.steps + 1, (len(x),), device=x.device)
        eps = torch.randn_like(x)
        signal, noise = self.noise.shares(t, x)
        noisy, target = signal * x + noise * eps, eps if self.eps else signal * eps - noise * x
        answer = self.ask(noisy, self.noise.told(t), self.label(batch))
        if self.optimal:
            self.off.keep(t, (x - self.datum(noisy, answer.detach(), t)).square().flatten(1).mean(1))
        return {"model": (answer - target).square().mean()}

    def in_units(self, batch: Batch) -> Tensor:
        """Points in units of the first batch's root mean square."""
        self.from_first(batch, batch.x, self.scale)
        self.reach.copy_(torch.maximum(self.reach, batch.x.abs().max() / self.scale))
        return batch.x / self.scale

    def datum(self, x: Tensor, answer: Tensor, t: Tensor) -> Tensor:
        signal, noise = self.noise.shares(t, x)
        guessed = (x - noise * answer) / signal if self.eps else signal * x - noise * answer
        return torch.clamp(guessed, -self.reach, self.reach)

    def guess(self, x: Tensor, t: Tensor, label: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        """The data that x of step t are thought to come from: (B, *shape), (B,) -> (B, *shape)"""
        return self.datum(x, self.ask(x, self.noise.told(t), label, guidance), t)

    def asks(self, times: int) -> int:
        return len(self.noise.timetable(times, self.power))

    def sample(
        self,
        n: int,
        given: Tensor | None,
        rng: Generator,
        *,
        evaluations: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        (times, w), label, x = self.budget(evaluations, guidance), self.told(n, given), self.normal(n, rng)
        for t, s in pairwise([*self.noise.timetable(times, self.power), 0]):
            x = self.step(x, t, s, rng, label, w)
        return x * self.scale

    def step(self, x: Tensor, t: int, s: int, rng: Generator, label: Tensor | None = None, w: float = 1.0) -> Tensor:
        """From x of step t to one of step s < t: the posterior given the guess with eta 1, without chance with 0."""
        steps = torch.full((len(x),), t, device=x.device)
        mean, deviation = self.noise.back(x, self.guess(x, steps, label, w), t, s, self.eta, self.off(t))
        return mean + deviation * self.normal(len(x), rng) if self.eta and (s or self.points) else mean

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats: minus L_T, the KLs between, and L_0, of a density or of the discrete pixels"""
        if self.levels:
            check_levels(x, self.levels)
        rng, x, spread = Generator(x.device).manual_seed(0), x / self.scale, self.off(1)
        first = torch.ones(len(x), dtype=torch.int64, device=x.device)
        self.decoder.set_scale(0.5 * torch.where(spread > 0, spread, self.noise.beta[1]).log())
        nats = self.decoder.log_prob(x, self.guess(self.diffused(x, first, rng), first))
        nats = nats - self.noise.kl_at_end(x) - x[0].numel() * self.scale.log()
        for stratum in range(self.terms):
            chance = torch.rand(len(x), generator=rng, dtype=torch.float64, device=x.device)
            t = 2 + ((stratum + chance) * (self.steps - 1) / self.terms).long().clamp(max=self.steps - 2)
            error = (x - self.guess(self.diffused(x, t, rng), t)).square().flatten(1).sum(1)
            nats = nats - (self.steps - 1) / self.terms * self.noise.kl(t, error, x[0].numel(), self.off(t))
        return nats

    def diffused(self, x: Tensor, t: Tensor, rng: Generator) -> Tensor:
        return self.noise.diffused(x, t, self.normal(len(x), rng))

    @torch.no_grad()
    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        def at(step: int) -> Tensor:
            return torch.full((len(x),), step, device=x.device)

        return repaint(
            x,
            mask,
            self.normal(len(x), rng),
            [*self.noise.timetable(self.asked, self.power), 0],
            noised=lambda x, s: self.diffused(x, at(s), rng),
            step=lambda x, t, s: self.step(x, t, s, rng),
            back=lambda x, s, t: self.noise.forth(x, s, t, self.normal(len(x), rng)),
        )
