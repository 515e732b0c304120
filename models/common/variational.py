"""What variational autoencoders share: nets for q(z | x) and p(x | z), both terms of the bound, and what follows.

Kingma, Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114: the bound is equation 10. Likelihood: Burda,
Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519, equation 8. Holes are filled as in
Rezende, Mohamed, Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014,
arXiv:1401.4082 (their chain for missing data).

A model file inherits from `GaussianVAE`, and states its objective.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.optim import Adam, Optimizer

from models.common import check, likelihoods
from models.common.likelihoods import Likelihood
from models.common.losses import kl_to_standard_normal
from models.common.nets import Form, decoder, encoder, noise
from models.common.protocol import Spec
from models.common.repair import alternate

DECODED_AT_ONCE = 4096  # draws of z in memory when the bound is computed


class Code(NamedTuple):
    """A Gaussian over codes with independent dimensions."""

    mean: Tensor  # (B, latent)
    log_variance: Tensor  # (B, latent)

    def draw(self, rng: Generator | None = None) -> Tensor:
        """(B, latent), reparametrised; from torch's global generator unless told."""
        return self.mean + (0.5 * self.log_variance).exp() * noise(*self.mean.shape, self.mean, rng)

    def log_prob(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B,) nats"""
        distance = (z - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (distance + self.log_variance + math.log(2 * math.pi)).sum(1)

    def kl(self) -> Tensor:
        """KL(self | N(0, I)), (B,) nats"""
        return kl_to_standard_normal(self.mean, self.log_variance)

    def repeated(self, k: int) -> Code:
        """Every Gaussian k times in a row: (B * k, latent)"""
        return Code(*(part.repeat_interleave(k, 0) for part in self))


def standard_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I): (B, latent) -> (B,) nats"""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)


class GaussianVAE(nn.Module):
    """q(z | x) is a Gaussian of independent dimensions, p(z) is N(0, I), p(x | z) as `likelihood` says.

    Samples of images are the mean of p(x | z), as pictures and scores of VAEs are in the literature; samples of points
    are drawn from p(x | z). `sample_mean` says otherwise.
    """

    given = "nothing"
    bound = True

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 16,
        importance: int = 50,
        likelihood: Likelihood = "fitting",
        sample_mean: bool | None = None,
        lr: float = 1e-3,
        nets: Form = "house",
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, importance=importance)
        check.positive(lr=lr)
        self.latent, self.importance, self.lr = latent, importance, lr
        self.sample_mean = len(spec.shape) > 1 if sample_mean is None else sample_mean
        self.encoder = encoder(self.seen(spec), 2 * latent, width=width, depth=depth, nets=nets)
        self.decoder = decoder(spec, latent, width=width, depth=depth, nets=nets, bounded=False)
        self.likelihood = likelihoods.of(spec, likelihood)
        self.watched: dict[str, Tensor] = {}

    def seen(self, spec: Spec) -> Spec:
        """What the encoder sees, if that is not data alone."""
        return spec

    @property
    def estimator(self) -> str:
        return f"IWAE-{self.importance}"

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": Adam(self.parameters(), self.lr, fused=True)}

    def posterior(self, x: Tensor) -> Code:
        """q(z | x): (B, *shape) -> (B, latent) each"""
        return Code(*self.encoder(x).chunk(2, dim=1))

    def terms(self, x: Tensor, code: Code, rng: Generator | None = None) -> tuple[Tensor, Tensor]:
        """-log p(x | z) for one draw of z from the code, and the code's KL to the prior: (B,), (B,) nats."""
        return -self.likelihood.log_prob(x, self.decoder(code.draw(rng))), code.kl()

    def rate_distortion(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, *shape) -> KL(q(z | x) | p(z)) and -log p(x | z), (B,) nats each; the same x gives the same answer."""
        distortion, rate = self.terms(x, self.posterior(x), torch.Generator(x.device).manual_seed(0))
        return rate, distortion

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats, a lower bound. Draws from a seed of its own: the same x gives the same bound."""
        rng = torch.Generator(x.device).manual_seed(0)
        k = self.importance
        chunks = x.split(max(1, DECODED_AT_ONCE // k))
        return torch.cat([self.importance_bound(chunk, self.posterior(chunk), k, rng) for chunk in chunks])

    def importance_bound(self, x: Tensor, code: Code, k: int, rng: Generator | None = None) -> Tensor:
        """log 1/k sum p(x, z) / q(z) over k draws of z from the code q: (B, *shape) -> (B,)"""
        code = code.repeated(k)
        z = code.draw(rng)  # (B * k, latent)
        log_joint = self.likelihood.log_prob(x.repeat_interleave(k, 0), self.decoder(z)) + standard_normal(z)
        return (log_joint - code.log_prob(z)).view(-1, k).logsumexp(1) - math.log(k)

    def encode(self, x: Tensor) -> Tensor:
        return self.posterior(x).mean  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.likelihood.mean(self.decoder(z))  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        return alternate(lambda filled: self.decode(self.posterior(filled).draw(rng)), x, mask, rng)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        out = self.decoder(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
        return self.likelihood.mean(out) if self.sample_mean else self.likelihood.draw(out, rng)
