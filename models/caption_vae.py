"""Text to image: the conditional variational autoencoder, given a caption.

Sohn, Lee, Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015,
equations 4 and 5, with the prior p(z) that its section 4 allows; images from captions by a variational autoencoder:
Mansimov, Parisotto, Ba, Salakhutdinov, "Generating Images from Captions with Attention", 2015, arXiv:1511.02793.

Departure: no attention and no canvas: the caption's code, by a small recurrent encoder that is trained along, stands
beside the image that the encoder sees and beside the code that the decoder sees, as labels do in the house's `cvae`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, likelihoods
from models.common.captions import CODE, Words, asked, beside, check_captions, with_code
from models.common.codes import Code
from models.common.likelihoods import Likelihood
from models.common.nets import decoder, encoder
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    """Samples of images are means of p(x | z, caption), as the house's VAE's are."""

    given = "caption"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 16,
        beta: float = 1.0,
        likelihood: Likelihood = "fitting",
        lr: float = 1e-3,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check_captions(spec, model="caption_vae")
        check.at_least(1, latent=latent)
        check.positive(lr=lr, beta=beta)
        self.latent, self.beta, self.lr = latent, beta, lr
        self.words = Words(spec.words)
        self.encoder = encoder(with_code(spec), 2 * latent, width=width, depth=depth)
        self.decoder = decoder(spec, latent + CODE, width=width, depth=depth, bounded=False)
        self.likelihood = likelihoods.of(spec, likelihood, lr)
        self.sample_mean = len(spec.shape) > 1
        self.watched: dict[str, Tensor] = {}

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": adam(self.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.bound_move]

    def bound_move(self, batch: Batch) -> Losses:
        told = self.words(check.told(batch.caption, "caption"))  # (B, CODE)
        code = Code(*self.encoder(beside(batch.x, told)).chunk(2, dim=1))  # q(z | x, caption), (B, latent) each
        out = self.decoder(beside(code.draw(), told))  # (B, latent + CODE) -> (B, *shape)
        distortion, rate = -self.likelihood.log_prob(batch.x, out).mean(), code.kl().mean()
        self.watched = {"reconstruction": distortion, "KL": rate}
        return {"model": distortion + self.beta * rate}

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        told = self.words(asked(given, n, "caption_vae"))
        out = self.decoder(torch.cat([noise(n, self.latent, told, rng), told], 1))  # (n, *shape)
        return self.likelihood.mean(out) if self.sample_mean else self.likelihood.draw(out, rng)
