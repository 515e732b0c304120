"""Mixtures of Gaussians with full covariances, by scikit-learn's expectation maximisation from k-means.

Dempster, Laird, Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", Journal of the Royal
Statistical Society B 39, 1977 (doi:10.1111/j.2517-6161.1977.tb01600.x).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits
from torch import Generator, Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from models.common.noise import noise

Covariance = Literal["full", "diag", "spherical"]


class Mixture(NamedTuple):
    """K Gaussians of D dimensions."""

    share: Tensor  # (K,)
    mean: Tensor  # (K, D)
    factor: Tensor  # (K, D, D) Cholesky factors of the covariances

    def draw(self, n: int, rng: Generator) -> Tensor:
        """(n, D), from rng"""
        chosen = torch.multinomial(self.share, n, replacement=True, generator=rng)  # (n,)
        chance = noise(n, self.mean.shape[1], self.mean, rng)  # (n, D)
        return self.mean[chosen] + torch.einsum("nij,nj->ni", self.factor[chosen], chance)

    def log_prob(self, x: Tensor) -> Tensor:
        parts = MultivariateNormal(self.mean, scale_tril=self.factor)
        return MixtureSameFamily(Categorical(self.share), parts).log_prob(x)  # (B, D) -> (B,)


class Density(nn.Module):
    """A mixture with full covariances, kept with a model and fitted once that is trained; N(0, I) until then."""

    def __init__(self, components: int, size: int) -> None:
        super().__init__()
        self.share = nn.Buffer(torch.full((components,), 1 / components))
        self.mean = nn.Buffer(torch.zeros(components, size))
        self.factor = nn.Buffer(torch.eye(size).repeat(components, 1, 1))

    @property
    def mixture(self) -> Mixture:
        return Mixture(self.share, self.mean, self.factor)

    def fit(self, x: Tensor) -> None:
        for part, found in zip(self.mixture, fitted(x, len(self.share)), strict=True):  # x (N, D)
            part.copy_(found)


def fitted(x: Tensor, components: int, covariance: Covariance = "full", starts: int = 1) -> Mixture:
    """The mixture of x (N, D), in float64; of `starts` starts the likeliest. Starts are from torch's global chance."""
    x = x.double().cpu()
    floor = 1e-9 + 1e-6 * x.var(0).mean().item()  # a dimension without variance has no Cholesky factor
    seed = int(torch.randint(2**31, ()))
    mixture = GaussianMixture(components, covariance_type=covariance, reg_covar=floor, n_init=starts, random_state=seed)
    with threadpool_limits(1):  # sums in one order
        mixture.fit(x.numpy())
    spread = torch.as_tensor(mixture.covariances_)  # (K, D, D), (K, D) or (K,)
    if covariance != "full":
        spread = torch.diag_embed(spread.reshape(components, -1).expand(-1, x.shape[1]))
    share, mean = torch.as_tensor(mixture.weights_), torch.as_tensor(mixture.means_)
    return Mixture(share, mean, torch.linalg.cholesky(spread))
