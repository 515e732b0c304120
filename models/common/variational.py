"""What variational autoencoders share: nets for q(z | x) and p(x | z), both terms of the bound, and what follows.

Kingma, Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114: the bound is equation 10. Likelihood: Burda,
Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519, equation 8. Holes are filled as in
Rezende, Mohamed, Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014,
arXiv:1401.4082 (their chain for missing data).

A model file inherits from `GaussianVAE`, and states its objective.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, likelihoods
from models.common.codes import DECODED_AT_ONCE, Code, importance_weighted, standard_normal
from models.common.likelihoods import Bernoulli, Likelihood
from models.common.nets import Form, decoder, encoder
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.repair import alternate

START = 100  # minibatches that the mean image is taken from


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
        self.likelihood = likelihoods.of(spec, likelihood, lr)
        self.watched: dict[str, Tensor] = {}

    def seen(self, spec: Spec) -> Spec:
        """What the encoder sees, if that is not data alone."""
        return spec

    @property
    def estimator(self) -> str:
        return f"IWAE-{self.importance}"

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": adam(self.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.bias_move if self.starting(step) else self.bound_move]

    def bound_move(self, batch: Batch) -> Losses:
        """What the model's own paper has it lessen."""
        raise NotImplementedError

    def starting(self, step: int) -> bool:
        """Whether dense nets are still to be given the mean image, as the authors of the IWAE do (`models.vae`)."""
        return step < START and isinstance(self.decoder[-1], nn.Unflatten) and isinstance(self.likelihood, Bernoulli)

    def bias_move(self, batch: Batch) -> Losses:
        """No loss: the last bias goes to the log odds of the mean image of the minibatches up to this one."""
        bias = self.decoder[-2].get_parameter("bias").detach()  # (pixels,)
        white = (batch.x > 0).flatten(1).to(bias.dtype).mean(0)
        bias.copy_(bias.sigmoid().lerp(white, 1 / (1 + check.told(batch.step, "step").to(bias.dtype))).logit(eps=1e-3))
        return {}

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
        every = x.repeat_interleave(k, 0)

        def log_likelihood(z: Tensor) -> Tensor:
            return self.likelihood.log_prob(every, self.decoder(z))  # (B * k, latent) -> (B * k,)

        return importance_weighted(log_likelihood, code, k, rng, log_prior=self.log_prior)

    def log_prior(self, z: Tensor) -> Tensor:
        return standard_normal(z)  # (B, latent) -> (B,)

    def encode(self, x: Tensor) -> Tensor:
        return self.posterior(x).mean  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.likelihood.mean(self.decoder(z))  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        return alternate(lambda filled: self.redrawn(self.posterior(filled).draw(rng), rng), x, mask, rng)

    def redrawn(self, z: Tensor, rng: Generator) -> Tensor:
        return self.likelihood.draw(self.decoder(z), rng)  # (B, latent) -> (B, *shape), a draw from p(x | z)

    def prior_draws(self, n: int, rng: Generator) -> Tensor:
        return noise(n, self.latent, next(self.parameters()), rng)  # (n, latent)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        out = self.decoder(self.prior_draws(n, rng))  # (n, latent) -> (n, *shape)
        return self.likelihood.mean(out) if self.sample_mean else self.likelihood.draw(out, rng)
