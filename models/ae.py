"""The autoencoder, made generative by a Gaussian fitted to its codes after training.

Hinton, Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006
(doi:10.1126/science.1127647). Density of codes after training: Ghosh, Sajjadi, Vergari, Black, Scholkopf, "From
Variational to Deterministic Autoencoders", 2020, arXiv:1903.12436, section 4, with one full-covariance Gaussian.

Departure: no layerwise pretraining, Adam, and squared error in place of cross-entropy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Adam, Optimizer

from models.common import check
from models.common.nets import decoder, encoder, noise
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "nothing"

    def __init__(self, spec: Spec, *, latent: int = 16, lr: float = 1e-3, width: int = 128, depth: int = 3) -> None:
        super().__init__()
        check.at_least(1, latent=latent)
        check.positive(lr=lr)
        self.latent, self.lr = latent, lr
        self.encoder = encoder(spec, latent, width=width, depth=depth)
        self.decoder = decoder(spec, latent, width=width, depth=depth)
        self.register_buffer("code_mean", torch.zeros(latent))
        self.register_buffer("code_factor", torch.eye(latent))  # Cholesky factor of the codes' covariance

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": Adam(self.parameters(), self.lr, fused=True)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.reconstruction_move]

    def reconstruction_move(self, batch: Batch) -> Losses:
        error = (self.reconstruct(batch.x) - batch.x).square()  # (B, *shape)
        return {"model": error.flatten(1).sum(1).mean()}

    def finish(self, batches: Iterable[Batch]) -> None:
        """The codes' mean and covariance, over all the training data."""
        codes = torch.cat([self.encode(batch.x) for batch in batches]).double()  # (N, latent)
        spread = torch.atleast_2d(codes.T.cov())
        # A latent that the encoder never uses has no variance, and no Cholesky factor.
        spread.diagonal().add_(1e-9 + 1e-6 * spread.diagonal().mean())
        self.code_mean.copy_(codes.mean(0))
        self.code_factor.copy_(torch.linalg.cholesky(spread))

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)  # (B, *shape) -> (B, latent)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decoder(self.encode(x))  # (B, *shape) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        z = self.code_mean + noise(n, self.latent, self.code_mean, rng) @ self.code_factor.T  # (n, latent)
        return self.decoder(z)  # (n, latent) -> (n, *shape)
