"""The Wasserstein autoencoder: codes of all the data together have the prior's law, and not each by itself.

Tolstikhin, Bousquet, Gelly, Schoelkopf, "Wasserstein Auto-Encoders", 2018, arXiv:1711.01558, Algorithm 2 (WAE-MMD):
squared cost, deterministic encoder, and the inverse multiquadratic kernel of section 4, whose C = 2 d is the expected
squared distance of two draws from the prior N(0, I). The latent size, Adam's settings and the weight are the paper's
for MNIST.

Departure: the code published with it (github.com/tolstikhin/wae) adds up seven such kernels, scales the cost by 0.05,
trains the encoder alone for a while and adds noise to what it sees; here is what the paper says. Data on [-1, 1] make
the cost of an image four times what it is on [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.nets import decoder, encoder
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """(n, latent), (m, latent) -> (n, m), the inverse multiquadratic kernel of every pair"""
    scale = 2 * a.shape[1]
    return scale / (scale + (a[:, None] - b).square().sum(2))


def mmd(code: Tensor, prior: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two samples (n, latent), without bias: it may be negative."""
    n = len(code)
    if n < 2:
        raise ValueError(f"a batch of {n}: codes are compared with each other, take 2 or more")
    among = sum(kernel(z, z).sum() - n for z in (code, prior))  # k(z, z) = 1 does not count
    return among / (n * (n - 1)) - 2 * kernel(code, prior).mean()


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 8,
        penalty: float = 10.0,
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
        self.latent, self.penalty = latent, penalty
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
        discrepancy = mmd(code, noise(len(code), self.latent, code))
        self.watched = {"cost": cost, "MMD": discrepancy}
        return {"model": cost + self.penalty * discrepancy}

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.decode(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)
