"""Adversarial variational Bayes: a VAE whose posterior is a black box, with a critic for the density it lacks.

Mescheder, Nowozin, Geiger, "Adversarial Variational Bayes: Unifying Variational Autoencoders and Generative Adversarial
Networks", 2017, arXiv:1701.04722: the critic T tells q(z | x) from p(z) by equation 3.3, so that at its best it is
log q(z | x) - log p(z) (equation 3.4); encoder and decoder move by equation 3.7, at the same time (Algorithm 1), or the
critic more often (section 3.2). Adaptive contrast is section 4: T tells q from r(z | x), the Gaussian of its moments,
in codes that those normalise (equations 4.2 and 4.3), and KL(q | p) is E[T + log r - log p], whatever r is; hence no
gradient goes through the moments. That, the encoder z = z_0(x) + sum_i a_i(x) v_i(eps_i), moments from the noise of a
minibatch and the share of T that is known, |z|^2 / 2, added to the net's are of the code published with the paper
(github.com/LMescheder/AdversarialVariationalBayes).

Departure: the house's nets; a_i(x) of either sign; one floor for the variance of r, wherever it is used.
Since q has no density, the bound, the rate and the distortion are those of r as it stands after training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses, optimizers
from models.common.codes import Code, standard_normal
from models.common.joint import JointCritic
from models.common.likelihoods import Likelihood
from models.common.nets import encoder, mlp
from models.common.noise import noise
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.repair import alternate
from models.common.variational import GaussianVAE

LEAST_VARIANCE = 1e-4  # of r: codes without any spread are not to be divided by it
MOMENT_DRAWS = 1024  # of noise, for the moments of q after training


class Basis(nn.Module):
    """v_1(eps_1), v_2(eps_2), ...: a net for each noise."""

    def __init__(self, eps: int, bases: int, latent: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.nets = nn.ModuleList(mlp(eps, latent, width, depth) for _ in range(bases))

    def forward(self, eps: Tensor) -> Tensor:
        """(n, bases, eps) -> (n, bases, latent)"""
        return torch.stack([net(part) for net, part in zip(self.nets, eps.unbind(1), strict=True)], 1)


class Model(GaussianVAE):
    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 8,
        eps: int = 32,
        bases: int = 16,
        adaptive_contrast: bool = True,
        critic_steps: int = 1,
        importance: int = 50,
        likelihood: Likelihood = "fitting",
        sample_mean: bool | None = None,
        lr: float = 5e-5,
        critic_lr: float = 1e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        check.at_least(1, eps=eps, bases=bases, critic_steps=critic_steps)
        check.positive(critic_lr=critic_lr)
        check.decay(beta1=beta1, beta2=beta2)
        super().__init__(spec, latent=latent, importance=importance, likelihood=likelihood, sample_mean=sample_mean,
                         lr=lr, width=width, depth=depth)  # fmt: skip
        self.noises, self.adaptive_contrast = (bases, eps), adaptive_contrast
        self.critic_steps, self.critic_lr, self.betas = critic_steps, critic_lr, (beta1, beta2)
        self.encoder = encoder(spec, (1 + bases) * latent, width=width, depth=depth)  # z_0, a_1, a_2, ...
        self.basis = Basis(eps, bases, latent, width=width, depth=depth)
        self.critic = JointCritic(spec, latent, width=width, depth=depth)

    @property
    def estimator(self) -> str:
        return f"IWAE-{self.importance}, Gaussian fitted to q as proposal"

    def optimizers(self) -> dict[str, Optimizer]:
        parts = nn.ModuleList([self.encoder, self.basis, self.decoder, self.likelihood])
        return {
            "model": optimizers.adam(parts.parameters(), self.lr, self.betas),
            "critic": optimizers.adam(self.critic.parameters(), self.critic_lr, self.betas),
        }

    def moves(self, step: int) -> Sequence[Move]:
        return [self.joint_move if (step + 1) % self.critic_steps == 0 else self.critic_move]

    def joint_move(self, batch: Batch) -> Losses:
        z, r = self.draw(batch.x)
        on_q, on_r = self.scores(batch.x, z, r)
        rate = on_q + r.log_prob(z) - standard_normal(z)  # (B,)
        distortion = -self.likelihood.log_prob(batch.x, self.decoder(z))  # (B,)
        self.watched = {"reconstruction": distortion.mean(), "KL": rate.mean()}
        return {"model": (distortion + rate).mean(), "critic": losses.classification(on_q, on_r)}

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            z, r = self.draw(batch.x)
        self.watched = {}
        return {"critic": losses.classification(*self.scores(batch.x, z, r))}

    def scores(self, x: Tensor, z: Tensor, r: Code) -> tuple[Tensor, Tensor]:
        """T of codes z, and of as many drawn from r, all normalised by r: (B,), (B,)"""
        normal = (z - r.mean) * (-0.5 * r.log_variance).exp()  # (B, latent)
        drawn = noise(len(z), self.latent, z)  # (B, latent)
        codes = torch.cat([normal, drawn])
        # The net is left with log q: beyond its data a net is linear, and log r, a parabola, would reward far codes.
        on_q, on_r = (self.critic(torch.cat([x, x]), codes) - standard_normal(codes)).chunk(2)  # one pass: (2B,)
        return on_q, on_r

    def draw(self, x: Tensor, rng: Generator | None = None) -> tuple[Tensor, Code]:
        """z ~ q(z | x), reparametrised, (B, latent), and the contrast r: p(z), unless it adapts."""
        shift, scales = self.affine(x)
        v = self.noise_basis(len(x), x, rng)
        z = shift + (scales * v).sum(1)  # (B, latent)
        if not self.adaptive_contrast:
            return z, Code(torch.zeros_like(z), torch.zeros_like(z))
        return z, moments(shift.detach(), scales.detach(), v.detach())

    def posterior(self, x: Tensor) -> Code:
        """The Gaussian of the moments of q(z | x), which are those of fixed noise."""
        rng = torch.Generator(x.device).manual_seed(0)
        return moments(*self.affine(x), self.noise_basis(MOMENT_DRAWS, x, rng))

    def affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z_0(x) and every a_i(x): (B, latent), (B, bases, latent)"""
        parts = self.encoder(x).unflatten(1, (-1, self.latent))
        return parts[:, 0], parts[:, 1:]

    def noise_basis(self, n: int, like: Tensor, rng: Generator | None) -> Tensor:
        """n draws of every v_i(eps_i), (n, bases, latent)"""
        bases, eps = self.noises
        return self.basis(noise(n, bases * eps, like, rng).unflatten(1, (bases, eps)))

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        return alternate(lambda filled: self.redrawn(self.draw(filled, rng)[0], rng), x, mask, rng)


def moments(shift: Tensor, scales: Tensor, v: Tensor) -> Code:
    """The Gaussian with the mean and variance of q: the noises do not depend on each other, nor on x."""
    variance = (scales.square() * v.var(0, correction=0)).sum(1)  # (B, bases, latent) -> (B, latent)
    return Code(shift + (scales * v.mean(0)).sum(1), (variance + LEAST_VARIANCE).log())
