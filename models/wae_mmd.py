"""The Wasserstein autoencoder: codes of all the data together have the prior's law, and not each by itself.

Tolstikhin, Bousquet, Gelly, Schoelkopf, "Wasserstein Auto-Encoders", 2018, arXiv:1711.01558, Algorithm 2 (WAE-MMD):
squared cost, deterministic encoder, and inverse multiquadratic kernels (section 4) of C = 2 d, the expected squared
distance of two draws from the prior N(0, I), times each of seven scales, as in the code published with it
(github.com/tolstikhin/wae); `scales: [1.0]` is the one kernel that the paper writes down. Latent size and Adam's
settings are those for MNIST.

The weight, too: that code lessens 0.05 of the squared error summed over 784 pixels on [0, 1], and 10 of the
discrepancy. Per unit of error that is 200, or 800 of pixels on [-1, 1], where an error is four times what it is there;
so 1.02 per unit of the error's mean over the numbers of a datum, which is what `penalty` weighs against. A sum over
fewer numbers, as in smaller images and points, has less to say, and a weight on it would have to be less with it.

Departure: the published code trains the encoder alone for a while and adds noise to what it sees; its weight for faces
is a sixtieth of this one per pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.nets import decoder, encoder
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of C = 2 d, one kernel each


def kernel(a: Tensor, b: Tensor, scales: Sequence[float]) -> Tensor:
    """(n, latent), (m, latent) -> (n, m), the sum of the inverse multiquadratic kernels of every pair"""
    distance, c = (a[:, None] - b).square().sum(2), 2 * a.shape[1]
    return torch.stack([scale * c / (scale * c + distance) for scale in scales]).sum(0)


def mmd(code: Tensor, prior: Tensor, scales: Sequence[float] = SCALES) -> Tensor:
    """Squared maximum mean discrepancy of two samples (n, latent), without bias: it may be negative."""
    n = len(code)
    if n < 2:
        raise ValueError(f"a batch of {n}: codes are compared with each other, take 2 or more")
    among = sum(kernel(z, z, scales).sum() - n * len(scales) for z in (code, prior))  # k(z, z) does not count
    return among / (n * (n - 1)) - 2 * kernel(code, prior, scales).mean()


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 8,
        penalty: float = 1.0,
        scales: tuple[float, ...] = SCALES,
        lr: float = 1e-3,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent)
        check.positive(penalty=penalty, lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        if not scales or min(scales) <= 0:
            raise ValueError(f"scales = {scales}: must be one kernel's or several, each above 0")
        self.latent, self.penalty, self.scales = latent, penalty, scales
        self.lr, self.betas = lr, (beta1, beta2)
        self.encoder = encoder(spec, latent, width=width, depth=depth)
        self.decoder = decoder(spec, latent, width=width, depth=depth)
        self.watched: dict[str, Tensor] = {}

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": adam(self.parameters(), self.lr, self.betas)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.transport_move]

    def transport_move(self, batch: Batch) -> Losses:
        code = self.encode(batch.x)  # (B, *shape) -> (B, latent)
        cost = (self.decode(code) - batch.x).square().flatten(1).sum(1).mean()
        discrepancy = mmd(code, noise(len(code), self.latent, code), self.scales)
        self.watched = {"cost": cost, "MMD": discrepancy}
        return {"model": cost + self.penalty * batch.x[0].numel() * discrepancy}

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.decode(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
