"""The energy-based GAN: the critic is an autoencoder, and what it cannot reconstruct is not data.

Zhao, Mathieu, LeCun, "Energy-based Generative Adversarial Network", 2016, arXiv:1609.03126: equations 1 and 2 with the
energy of equation 13; the pull-away term of equation 14, with its weight of 0.1, makes it the paper's EBGAN-PT. The
energy's gradient reaches the generator through the reconstruction and through its target.

Departure: the energy is the norm of the reconstruction error over the root of its length, the root mean square over
the coordinates, so that a margin means the same for data of any size: the paper's margins of 10 on 28x28, 20 on
3x64x64 and 40 on 3x128x128 are 0.36, 0.18 and 0.18 of it, where images span [-1, 1]. `pretrain` steps may train the
critic as a mere autoencoder first. Adam's beta1 of 0.5, and the nets, are DCGAN's (arXiv:1511.06434).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.nets import decoder, encoder
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        code: int = 32,
        margin: float = 0.36,
        pull_away: float = 0.1,
        pretrain: int = 0,
        lr: float = 1e-3,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, code=code)
        check.at_least(0, pull_away=pull_away, pretrain=pretrain)
        check.positive(margin=margin, lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.latent, self.margin, self.pull_away, self.pretrain = latent, margin, pull_away, pretrain
        self.lr, self.betas = lr, (beta1, beta2)
        self.generator = decoder(spec, latent, width=width, depth=depth)
        self.critic = nn.ModuleDict(
            {
                "encoder": encoder(spec, code, width=width, depth=depth),
                "decoder": decoder(spec, code, width=width, depth=depth),
            }
        )

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.reconstruction_move] if step < self.pretrain else [self.critic_move, self.generator_move]

    def reconstruction_move(self, batch: Batch) -> Losses:
        return {"critic": self.energy(batch.x)[0].mean()}

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        on_real, on_fake = self.energy(batch.x)[0], self.energy(fake)[0]
        return {"critic": on_real.mean() + F.relu(self.margin - on_fake).mean()}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        energy, code = self.energy(fake)
        return {"generator": energy.mean() + self.pull_away * likeness(code)}

    def energy(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Energies and codes: (B, *shape) -> (B,), (B, code)"""
        code = self.critic["encoder"](x)
        error = (self.critic["decoder"](code) - x).flatten(1)  # the target, too, has a gradient
        return torch.linalg.vector_norm(error, dim=1) / error.shape[1] ** 0.5, code

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)


def likeness(code: Tensor) -> Tensor:
    """The pull-away term, the mean squared cosine between two codes of a batch: (B, code) -> ()"""
    unit = F.normalize(code)
    cosine = unit @ unit.T  # (B, B)
    return (cosine.square().sum() - cosine.diagonal().square().sum()) / (len(code) * (len(code) - 1))
