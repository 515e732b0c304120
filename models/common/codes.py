"""Laws of codes: the Gaussian that an encoder puts out, and the prior N(0, I)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Generator, Tensor

from models.common.losses import kl_to_standard_normal
from models.common.noise import noise

DECODED_AT_ONCE = 4096  # draws of z in memory when the bound is computed


class Code(NamedTuple):
    """A Gaussian over codes with independent dimensions."""

    mean: Tensor  # (B, latent)
    log_variance: Tensor  # (B, latent)

    def draw(self, rng: Generator | None = None) -> Tensor:
        """(B, latent), reparametrised; from torch's global generator unless told."""
        return self.mean + (0.5 * self.log_variance).exp() * noise(len(self.mean), self.mean.shape[1], self.mean, rng)

    def log_prob(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B,) nats"""
        distance = (z - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (distance + self.log_variance + math.log(2 * math.pi)).sum(1)

    def kl(self, to: Code | None = None) -> Tensor:
        """KL(self | to), or without one KL(self | N(0, I)), (B,) nats"""
        if to is None:
            return kl_to_standard_normal(self.mean, self.log_variance)
        distance = (self.mean - to.mean).square() * (-to.log_variance).exp()
        spread = self.log_variance - to.log_variance
        return 0.5 * (distance + spread.exp() - 1 - spread).sum(1)

    def repeated(self, k: int) -> Code:
        """Every Gaussian k times in a row: (B * k, latent)"""
        return Code(*(part.repeat_interleave(k, 0) for part in self))


def standard_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I): (B, latent) -> (B,) nats"""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)


def importance_weighted(
    log_likelihood: Callable[[Tensor], Tensor],
    q: Code,
    k: int,
    rng: Generator | None = None,
    *,
    log_prior: Callable[[Tensor], Tensor] = standard_normal,
) -> Tensor:
    """log 1/k sum p(x | z) p(z) / q(z | x) over k draws of z from q, (B,) nats: a lower bound of log p(x).

    Likelihood and prior, N(0, I) unless told, are asked of all draws, a datum's in a row: (B * k, latent) -> (B * k,).
    Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519, equation 8.
    """
    q = q.repeated(k)
    z = q.draw(rng)
    log_weight = log_likelihood(z) + log_prior(z) - q.log_prob(z)
    return log_weight.view(-1, k).logsumexp(1) - math.log(k)
