"""The VAE with a density fitted to its codes after training, to tell what a VAE owes to its prior.

Ghosh, Sajjadi, Vergari, Black, Scholkopf, "From Variational to Deterministic Autoencoders", 2020, arXiv:1903.12436,
section 4: a mixture of ten Gaussians with full covariances, for VAEs as for autoencoders (`ae`). Trained as the VAE of
Kingma, Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114, on its bound with the prior N(0, I); then the
mixture takes the prior's place, in samples and in the bound on the likelihood.

Departure: the mixture is fitted to a draw from q(z | x) for each datum, which raises the bound's E[log p(z)] as far as
such mixtures can, and not to the means, among which too few codes are far out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, Tensor

from models.common import check
from models.common.codes import standard_normal
from models.common.mixtures import Density
from models.common.protocol import Batch, Losses, Spec
from models.common.variational import GaussianVAE


class Model(GaussianVAE):
    def __init__(self, spec: Spec, *, components: int = 10, **base: Any) -> None:
        check.at_least(1, components=components)
        super().__init__(spec, **base)
        self.density = Density(components, self.latent)

    def bound_move(self, batch: Batch) -> Losses:
        distortion, rate = self.terms(batch.x, self.posterior(batch.x))  # (B,), (B,)
        self.watched = {"reconstruction": distortion.mean(), "KL": rate.mean()}
        return {"model": (distortion + rate).mean()}

    def finish(self, batches: Iterable[Batch]) -> None:
        self.density.fit(torch.cat([self.posterior(batch.x).draw() for batch in batches]))  # (N, latent)

    def log_prior(self, z: Tensor) -> Tensor:
        return self.density.mixture.log_prob(z)  # (B, latent) -> (B,)

    def rate_distortion(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As the VAE's, but for the prior: KL(q | mixture) is KL(q | N(0, I)) and the mean of log N(z; 0, I) - log p(z)
        over z from q, here of one draw."""
        code = self.posterior(x)
        z = code.draw(torch.Generator(x.device).manual_seed(0))
        return code.kl() + standard_normal(z) - self.log_prior(z), -self.likelihood.log_prob(x, self.decoder(z))

    def prior_draws(self, n: int, rng: Generator) -> Tensor:
        return self.density.mixture.draw(n, rng)  # (n, latent)
