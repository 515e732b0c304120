"""The adversarial autoencoder: a critic of codes holds what the encoder makes of all the data to the prior.

Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", 2015, arXiv:1511.05644, section 2: on every
minibatch a reconstruction phase, then a regularisation phase in which the critic moves, and after it the encoder as the
critic's generator. The three posteriors are that section's; `supervised` is section 2.3: the critic is told the label
beside a code, and the prior's code comes from the label's component of the mixture.

Departure: the house's nets and Adam, as DCGAN (arXiv:1511.06434) sets it, in place of two layers of 1,000 ReLUs and
SGD; its non-saturating loss; a prior N(0, I) where the paper's figures on likelihood are of a wider one. The error is
that of a Gaussian decoder, squares over 2 sigma^2, summed over pixels. One optimizer for both losses of the encoder,
where the paper has one for each with a rate of its own: so `sigma`, in units of the data, says what the error weighs
beside the critic; at 1, on points in clusters of a few hundredths' width, it weighs next to nothing. The paper draws
its mixture of ten without numbers: these are ours, and a supervised mixture has a component for each class.
All data are labelled, or none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.nets import Net, decoder, encoder, mlp, with_classes, with_label
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.repair import alternate

RADIUS, ALONG, ACROSS = 1.4, 0.5, 0.1  # of the mixture's components: their distance, and their deviations


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 8,
        posterior: Literal["deterministic", "gaussian", "universal"] = "deterministic",
        prior: Literal["gaussian", "mixture"] = "gaussian",
        supervised: bool = False,
        sigma: float = 1.0,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent)
        check.one_of(("deterministic", "gaussian", "universal"), posterior=posterior)
        check.one_of(("gaussian", "mixture"), prior=prior)
        check.positive(lr=lr, sigma=sigma)
        check.decay(beta1=beta1, beta2=beta2)
        if prior == "mixture" and latent != 2:
            raise ValueError(f"latent = {latent}: must be 2 for prior = mixture, whose components lie in a plane")
        if supervised and prior != "mixture":
            raise ValueError(f"prior = {prior}: must be mixture for supervised = true, a label chooses a component")
        self.latent, self.posterior, self.sigma, self.lr, self.betas = latent, posterior, sigma, lr, (beta1, beta2)
        self.components = {"gaussian": 0, "mixture": 10}[prior]
        beside = 0
        if supervised:
            with_classes(spec)  # refuses unlabelled data
            self.given, self.components, beside = "label", spec.classes, spec.classes
        seen = spec._replace(shape=(2 * spec.shape[0], *spec.shape[1:])) if posterior == "universal" else spec
        self.encoder = encoder(seen, latent * (1 + (posterior == "gaussian")), width=width, depth=depth)
        self.decoder = decoder(spec, latent, width=width, depth=depth)
        self.critic = Net(mlp(latent + beside, 1, width, depth), nn.Flatten(0))  # (B, latent + beside) -> (B,)

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"encoder": self.encoder, "decoder": self.decoder, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.reconstruction_move, self.critic_move, self.generator_move]

    def reconstruction_move(self, batch: Batch) -> Losses:
        squares = (self.decode(self.code(batch.x)) - batch.x).square().flatten(1).sum(1)  # (B,)
        error = squares.mean() / (2 * self.sigma**2)
        return {"encoder": error, "decoder": error}

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            code = self.code(batch.x)  # (B, latent)
        real = self.prior(len(code), code, label=batch.label if self.given == "label" else None)  # (B, latent)
        return {"critic": losses.classification(self.score(real, batch.label), self.score(code, batch.label))}

    def generator_move(self, batch: Batch) -> Losses:
        return {"encoder": losses.non_saturating(self.score(self.code(batch.x), batch.label))}

    def code(self, x: Tensor, chance: Callable[[Tensor], Tensor] = torch.randn_like) -> Tensor:
        """A draw from q(z | x), reparametrised, with the chance of one like x or z: (B, *shape) -> (B, latent)"""
        if self.posterior == "universal":
            x = torch.cat([x, chance(x)], 1)  # f(x, eta), eta ~ N(0, I) of the data's shape
        out = self.encoder(x)
        if self.posterior != "gaussian":
            return out
        mean, log_variance = out.chunk(2, dim=1)  # (B, latent) each
        return mean + (0.5 * log_variance).exp() * chance(mean)

    def prior(self, n: int, like: Tensor, *, label: Tensor | None = None, rng: Generator | None = None) -> Tensor:
        """(n, latent) draws; in a mixture, of the components that the labels name, if there are labels."""
        z = noise(n, self.latent, like, rng)
        if not self.components:
            return z
        if label is None:
            label = torch.randint(self.components, (n,), generator=rng, device=z.device)
        angle = label.to(z.dtype) * (2 * math.pi / self.components)
        outwards, aside = torch.stack([angle.cos(), angle.sin()], 1), torch.stack([-angle.sin(), angle.cos()], 1)
        return (RADIUS + ALONG * z[:, :1]) * outwards + ACROSS * z[:, 1:] * aside

    def score(self, code: Tensor, label: Tensor | None) -> Tensor:
        """How much a code looks like the prior's to the critic: (B, latent), (B,) -> (B,)"""
        return self.critic(with_label(code, check.told(label), self.components) if self.given == "label" else code)

    def encode(self, x: Tensor) -> Tensor:
        """The code without chance: the Gaussian's mean, the universal approximator's code at eta = 0."""
        return self.code(x, torch.zeros_like)  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        def chance(like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=rng, dtype=like.dtype, device=rng.device)

        return alternate(lambda filled: self.decode(self.code(filled, chance)), x, mask, rng)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        if self.given == "label" and (given is None or len(given) != n):
            raise ValueError(f"{n} samples of aae need {n} labels, given are {given if given is None else len(given)}")
        return self.decode(self.prior(n, next(self.parameters()), label=given, rng=rng))  # (n, *shape)
