"""A mixture of Gaussians fitted by expectation maximisation: what a few hundred numbers can say of points.

Dempster, Laird, Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", Journal of the Royal
Statistical Society B 39, 1977 (doi:10.1111/j.2517-6161.1977.tb01600.x), by scikit-learn's GaussianMixture: the
best of `starts` starts from k-means.

Departure: it has no players and takes no steps; all is done once, after the last one, on the training set. The
number of components is not fitted; too many do little harm (on a ring of 8 modes, 32 cost 0.003 nats), too few do much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, mixtures
from models.common.mixtures import Covariance, Mixture
from models.common.protocol import Batch, Move, Spec


class Model(nn.Module):
    given = "nothing"
    bound = False
    estimator = "exact"

    def __init__(
        self,
        spec: Spec,
        *,
        components: int = 32,
        covariance: Covariance = "full",
        starts: int = 1,
    ) -> None:
        super().__init__()
        check.at_least(1, components=components, starts=starts)
        check.one_of(get_args(Covariance), covariance=covariance)
        if len(spec.shape) != 1:
            raise ValueError(f"gmm is for points, the data are images of shape {spec.shape}")
        self.components, self.covariance, self.starts = components, covariance, starts
        dims = spec.shape[0]
        self.share = nn.Parameter(torch.full((components,), 1 / components), requires_grad=False)
        self.mean = nn.Parameter(torch.zeros(components, dims), requires_grad=False)
        factor = torch.eye(dims).repeat(components, 1, 1)  # Cholesky factors of the covariances
        self.factor = nn.Parameter(factor, requires_grad=False)

    def optimizers(self) -> dict[str, Optimizer]:
        return {}

    def moves(self, step: int) -> Sequence[Move]:
        return []

    def finish(self, batches: Iterable[Batch]) -> None:
        x = torch.cat([batch.x for batch in batches])  # (N, D)
        fitted = mixtures.fitted(x, self.components, self.covariance, self.starts)
        for own, value in zip(self.mixture, fitted, strict=True):
            own.copy_(value)

    @property
    def mixture(self) -> Mixture:
        return Mixture(self.share, self.mean, self.factor)

    def log_prob(self, x: Tensor) -> Tensor:
        return self.mixture.log_prob(x)  # (B, D) -> (B,)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.mixture.draw(n, rng)  # (n, D)
