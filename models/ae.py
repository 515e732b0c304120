"""The autoencoder, made generative by a density fitted to its codes after training.

Hinton, Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006
(doi:10.1126/science.1127647). Density of codes after training: Ghosh, Sajjadi, Vergari, Black, Scholkopf, "From
Variational to Deterministic Autoencoders", 2020, arXiv:1903.12436, section 4: one Gaussian or a mixture of ten, with
full covariances.

Departure: no layerwise pretraining, Adam, and squared error in place of cross-entropy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.mixtures import Density
from models.common.nets import decoder, encoder
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 16,
        density: Literal["gaussian", "mixture"] = "gaussian",
        components: int = 10,
        lr: float = 1e-3,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, components=components)
        check.one_of(("gaussian", "mixture"), density=density)
        check.positive(lr=lr)
        self.latent, self.lr = latent, lr
        self.encoder = encoder(spec, latent, width=width, depth=depth)
        self.decoder = decoder(spec, latent, width=width, depth=depth)
        self.density = Density(components if density == "mixture" else 1, latent)

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": adam(self.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.reconstruction_move]

    def reconstruction_move(self, batch: Batch) -> Losses:
        error = (self.reconstruct(batch.x) - batch.x).square()  # (B, *shape)
        return {"model": error.flatten(1).sum(1).mean()}

    def finish(self, batches: Iterable[Batch]) -> None:
        self.density.fit(torch.cat([self.encode(batch.x) for batch in batches]))  # (N, latent)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.decode(self.density.mixture.draw(n, rng))  # (n, latent) -> (n, *shape)
