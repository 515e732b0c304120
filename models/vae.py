"""The variational autoencoder, scored by its importance-weighted bound.

Kingma, Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114: loss is equation 10 with one draw a datum.
Likelihood: Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519, equation 8.

Departure: p(x | z) follows the data's levels (`models.common.likelihoods.fitting`): Gaussian with one learned scale,
Bernoulli, or discretised logistic. Samples of images are the mean of p(x | z), as pictures and scores of VAEs are in
the literature; samples of points are drawn from p(x | z). `sample_mean` says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Adam, Optimizer

from models.common import check, likelihoods
from models.common.losses import kl_to_standard_normal
from models.common.nets import decoder, encoder, noise
from models.common.protocol import Batch, Losses, Move, Spec

DECODED_AT_ONCE = 4096  # draws of z in memory when the bound is computed


class Model(nn.Module):
    given = "nothing"
    bound = True

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 16,
        importance: int = 50,
        sample_mean: bool | None = None,
        lr: float = 1e-3,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, importance=importance)
        check.positive(lr=lr)
        self.latent, self.importance, self.lr = latent, importance, lr
        self.sample_mean = len(spec.shape) > 1 if sample_mean is None else sample_mean
        self.encoder = encoder(spec, 2 * latent, width=width, depth=depth)
        self.decoder = decoder(spec, latent, width=width, depth=depth, bounded=False)
        self.likelihood = likelihoods.fitting(spec)

    @property
    def estimator(self) -> str:
        return f"IWAE-{self.importance}"

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": Adam(self.parameters(), self.lr, fused=True)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.bound_move]

    def bound_move(self, batch: Batch) -> Losses:
        return {"model": -self.elbo(batch.x).mean()}

    def elbo(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats, with one draw from torch's global generator a datum"""
        mean, log_variance = self.posterior(x)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)  # (B, latent)
        return self.likelihood.log_prob(x, self.decoder(z)) - kl_to_standard_normal(mean, log_variance)

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats, a lower bound. Draws from a seed of its own: the same x gives the same bound."""
        rng = torch.Generator(x.device).manual_seed(0)
        chunks = x.split(max(1, DECODED_AT_ONCE // self.importance))
        return torch.cat([self.importance_bound(chunk, self.importance, rng) for chunk in chunks])

    def importance_bound(self, x: Tensor, k: int, rng: Generator) -> Tensor:
        """log 1/k sum p(x, z) / q(z | x) over k draws of z from q: (B, *shape) -> (B,)"""
        mean, log_variance = (part.repeat_interleave(k, 0) for part in self.posterior(x))
        chance = noise(len(mean), self.latent, mean, rng)
        z = mean + (0.5 * log_variance).exp() * chance  # (B * k, latent)
        log_prior_ratio = 0.5 * (chance.square() - z.square() + log_variance).sum(1)  # log p(z) / q(z | x)
        log_weight = self.likelihood.log_prob(x.repeat_interleave(k, 0), self.decoder(z)) + log_prior_ratio
        return log_weight.view(-1, k).logsumexp(1) - math.log(k)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x): (B, *shape) -> (B, latent) each"""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def encode(self, x: Tensor) -> Tensor:
        return self.posterior(x)[0]  # (B, *shape) -> (B, latent)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.likelihood.mean(self.decoder(self.encode(x)))  # (B, *shape) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        out = self.decoder(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
        return self.likelihood.mean(out) if self.sample_mean else self.likelihood.draw(out, rng)
