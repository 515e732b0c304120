"""The class-conditional variational autoencoder: encoder and decoder see the label.

Kingma, Rezende, Mohamed, Welling, "Semi-supervised Learning with Deep Generative Models", 2014, arXiv:1406.5298: the
bound of model M2 on labelled data, without its constant log p(y). Sohn, Lee, Yan, "Learning Structured Output
Representation using Deep Conditional Generative Models", NeurIPS 2015, equations 4 and 5, with the prior p(z) that
its section 4 allows. Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519.

Departure: M2's classifier q(y | x) is missing: where a label is wanted, every label's bound is computed and Bayes'
rule answers, all labels being as likely. The nets and p(x | z, y) are those of the house's VAE; the label enters
one-hot beside the data (on an image as constant planes) and beside the code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, likelihoods
from models.common.codes import DECODED_AT_ONCE, Code, importance_weighted
from models.common.likelihoods import Likelihood
from models.common.nets import Form, decoder, encoder, with_classes, with_label
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.repair import alternate, check_mask


class Model(nn.Module):
    """Samples are means of p(x | z, y) of images, and drawn from it of points, as the VAE's are."""

    given = "label"
    bound = True

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 16,
        importance: int = 50,
        likelihood: Likelihood = "fitting",
        lr: float = 1e-3,
        nets: Form = "house",
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, importance=importance)
        check.positive(lr=lr)
        self.encoder = encoder(with_classes(spec), 2 * latent, width=width, depth=depth, nets=nets)
        self.decoder = decoder(spec, latent + spec.classes, width=width, depth=depth, nets=nets, bounded=False)
        self.likelihood = likelihoods.of(spec, likelihood, lr)
        self.classes, self.importance, self.lr = spec.classes, importance, lr
        self.latent = latent + spec.classes  # of a whole code: z, and its label one-hot
        self.sample_mean = len(spec.shape) > 1
        self.watched: dict[str, Tensor] = {}

    @property
    def estimator(self) -> str:
        return f"IWAE-{self.importance} given each of {self.classes} labels, all as likely"

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": adam(self.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.bound_move]

    def bound_move(self, batch: Batch) -> Losses:
        label = check.told(batch.label)
        code = self.posterior(batch.x, label)
        out = self.decoder(with_label(code.draw(), label, self.classes))  # (B, latent) -> (B, *shape)
        distortion, rate = -self.likelihood.log_prob(batch.x, out).mean(), code.kl().mean()
        self.watched = {"reconstruction": distortion, "KL": rate}
        return {"model": distortion + rate}

    def posterior(self, x: Tensor, label: Tensor) -> Code:
        """q(z | x, y): (B, *shape), (B,) -> (B, Z) each"""
        return Code(*self.encoder(with_label(x, label, self.classes)).chunk(2, dim=1))

    def importance_bound(self, x: Tensor, label: Tensor, shown: Tensor, k: int, rng: Generator) -> Tensor:
        """log 1/k sum p(x, z | y) / q(z | x, y) over k draws of z, where p is of what is shown of x, and q sees it all:
        (B, *shape), (B,), (B, 1, ...) -> (B,)"""
        every, labels, mask = (part.repeat_interleave(k, 0) for part in (x, label, shown))

        def log_likelihood(z: Tensor) -> Tensor:
            out = self.decoder(with_label(z, labels, self.classes))  # (B * k, *shape)
            return self.likelihood.pixel_log_prob(every, out).where(mask, 0.0).flatten(1).sum(1)

        return importance_weighted(log_likelihood, self.posterior(x, label), k, rng)

    def every_label(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Each datum beside each label: (B, ...) -> (B * classes, ...), (B * classes,)"""
        return x.repeat_interleave(self.classes, 0), torch.arange(self.classes, device=x.device).repeat(len(x))

    def bounds(self, every: Tensor, label: Tensor, k: int, rng: Generator, shown: Tensor | None = None) -> Tensor:
        """Those of p(x | y) for every y, or of p(shown | y): data as from `every_label` -> (B, classes)"""
        shown = torch.ones_like(every[:, :1], dtype=torch.bool) if shown is None else shown
        parts = (part.split(max(1, DECODED_AT_ONCE // k)) for part in (every, label, shown))
        bounds = [self.importance_bound(x, y, mask, k, rng) for x, y, mask in zip(*parts, strict=True)]
        return torch.cat(bounds).view(-1, self.classes)

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats, a lower bound of log p(x) = log 1/K sum over K labels of p(x | y): no label is
        given, so that the figure stands beside those of models without labels. Each datum is decoded K * k times."""
        rng = Generator(x.device).manual_seed(0)
        return self.bounds(*self.every_label(x), self.importance, rng).logsumexp(1) - math.log(self.classes)

    def encode(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B, latent): the mean of q(z | x, y), beside the label y of the largest bound, k = 1."""
        label = self.bounds(*self.every_label(x), 1, Generator(x.device).manual_seed(0)).argmax(1)
        return with_label(self.posterior(x, label).mean, label, self.classes)

    def decode(self, code: Tensor) -> Tensor:
        return self.likelihood.mean(self.decoder(code))  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        """Filled with every label, then one drawn by Bayes' rule: a chain that draws labels on its way gets stuck."""
        check_mask(x, mask)
        (every, label), shown = self.every_label(x), mask.repeat_interleave(self.classes, 0)

        def redraw(filled: Tensor) -> Tensor:
            z = self.posterior(filled, label).draw(rng)  # (B * classes, Z)
            return self.likelihood.draw(self.decoder(with_label(z, label, self.classes)), rng)

        filled = alternate(redraw, every, shown, rng)
        bounds = self.bounds(filled, label, self.importance, rng, shown)
        drawn = torch.multinomial(bounds.softmax(1), 1, generator=rng).squeeze(1)  # (B,)
        return filled.unflatten(0, bounds.shape)[torch.arange(len(x), device=x.device), drawn]

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        if given is None or len(given) != n:
            raise ValueError(f"{n} samples of cvae need {n} labels, given are {given if given is None else len(given)}")
        z = noise(n, self.latent - self.classes, next(self.parameters()), rng)
        out = self.decoder(with_label(z, given, self.classes))  # (n, Z) -> (n, *shape)
        return self.likelihood.mean(out) if self.sample_mean else self.likelihood.draw(out, rng)
