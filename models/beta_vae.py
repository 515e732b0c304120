"""The beta-VAE: a variational autoencoder whose KL term weighs beta, to trade distortion for rate.

Higgins, Matthey, Pal, Burgess, Glorot, Botvinick, Mohamed, Lerchner, "beta-VAE: Learning Basic Visual Concepts with a
Constrained Variational Framework", ICLR 2017 (openreview.net/forum?id=Sy2fzU9gl): E[log p(x | z)] - beta KL(q(z | x) |
p(z)), with beta = 4 as on their sprites. Why several betas draw a curve of rate against distortion: Burgess et al.,
"Understanding disentangling in beta-VAE", 2018, arXiv:1804.03599. beta = 1 is the VAE. Whatever beta is, likelihoods
are bounded by importance weighting without it.

Departure: the likelihood fits the data's levels and learns its scale, so that a given beta means something else than
under their Bernoulli pixels; `annealing` lets beta rise from 0 in a straight line over so many steps, as Sonderby et
al., "Ladder Variational Autoencoders", 2016, arXiv:1602.02282, warm up their KL.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from models.common import check
from models.common.protocol import Batch, Losses, Spec
from models.common.variational import GaussianVAE


class Model(GaussianVAE):
    def __init__(
        self,
        spec: Spec,
        *,
        beta: float = 4.0,
        annealing: int = 0,
        **base: Any,
    ) -> None:
        check.positive(beta=beta)
        check.at_least(0, annealing=annealing)
        super().__init__(spec, **base)
        self.beta, self.annealing = beta, annealing

    def bound_move(self, batch: Batch) -> Losses:
        beta = self.risen(check.told(batch.step, "step").to(batch.x.dtype)) if self.annealing else self.beta
        distortion, rate = self.terms(batch.x, self.posterior(batch.x))  # (B,), (B,)
        self.watched = {"reconstruction": distortion.mean(), "KL": rate.mean()}
        return {"model": (distortion + beta * rate).mean()}

    def risen(self, step: Tensor) -> Tensor:
        """What the KL weighs in a step: from nothing in a straight line to beta."""
        return self.beta * (step / self.annealing).clamp(max=1.0)
