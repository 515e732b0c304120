"""VAE-GAN: a VAE whose decoder is a GAN's generator, and whose error is measured in what the critic sees in an image.

Larsen, Sonderby, Larochelle, Winther, "Autoencoding beyond Pixels Using a Learned Similarity Metric", 2016,
arXiv:1512.09300, Algorithm 1: one move of three players, each with its own loss. The likelihood is a unit Gaussian on a
layer of the critic, Dis_l, and the critic is shown reconstructions and samples from the prior. As in the code published
with it (github.com/andersbll/autoencoding_beyond_pixels), the player that is ahead skips a move: the critic where it
costs less than equilibrium - margin to tell data or fakes, the decoder where it costs more than equilibrium + margin.
Both kinds of fakes together weigh as much as the data (else that equilibrium would be none), and the optimizer is
RMSProp with the code's decay. A margin of 100 lets everybody move.

Departure: a player that skips gets a gradient of zero, so that no step waits for a GPU: RMSProp without momentum then
moves nothing, but its running mean of squares decays. Dis_l is the critic's last hidden layer, and the only one that is
normalised. It has some hundred features, not ten thousand, hence a gamma of 1e-3 and not the code's 1e-5 or less. The
decoder lessens the non-saturating loss unless `loss` is minimax, the paper's: with that, and a critic that waits, what
is first seen through stays as it is (samples of 8x8 digits remain noise, next to good reconstructions).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.codes import Code
from models.common.nets import Net, cut, decoder, encoder
from models.common.noise import noise
from models.common.optimizers import rmsprop
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.repair import alternate


class Critic(nn.Module):
    """Features of data, each with mean 0 and variance 1 over a batch, and the score that is read from them."""

    def __init__(self, spec: Spec, *, width: int, depth: int) -> None:
        super().__init__()
        hidden, last = cut(encoder(spec, 1, width=width, depth=depth))
        norm = nn.BatchNorm1d(last.in_features, affine=False, track_running_stats=False)
        self.features, self.score = Net(*hidden, norm), Net(last, nn.Flatten(0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x)  # (B, *shape) -> (B, features)
        return features, self.score(features)  # (B, features) -> (B,)


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 128,
        gamma: float = 1e-3,
        loss: Literal["non_saturating", "minimax"] = "non_saturating",
        equilibrium: float = 0.68,
        margin: float = 0.35,
        lr: float = 3e-4,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent)
        check.positive(gamma=gamma, equilibrium=equilibrium, margin=margin, lr=lr)
        decoder_losses = {"non_saturating": losses.non_saturating, "minimax": losses.minimax}
        check.one_of(decoder_losses, loss=loss)
        self.latent, self.gamma, self.lr = latent, gamma, lr
        self.decoder_loss = decoder_losses[loss]
        self.lowest, self.highest = equilibrium - margin, equilibrium + margin
        self.encoder = encoder(spec, 2 * latent, width=width, depth=depth)
        self.decoder = decoder(spec, latent, width=width, depth=depth)
        self.critic = Critic(spec, width=width, depth=depth)
        self.watched: dict[str, Tensor] = {}

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"encoder": self.encoder, "decoder": self.decoder, "critic": self.critic}
        return {name: rmsprop(net.parameters(), self.lr, alpha=0.9) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.joint_move]

    def joint_move(self, batch: Batch) -> Losses:
        code = self.posterior(batch.x)  # (B, *shape) -> (B, latent) each
        z = torch.cat([code.draw(), noise(len(batch.x), self.latent, batch.x)])  # (2B, latent)
        fakes = self.decoder(z)  # (2B, latent) -> (2B, *shape), reconstructions before samples of the prior
        features, score = self.critic(torch.cat([batch.x, fakes]))  # (3B, features), (3B,)
        seen, rebuilt, _ = features.chunk(3)
        on_data, on_fakes = score[: len(batch.x)], score[len(batch.x) :]  # (B,), (2B,)
        kl = code.kl().mean()
        distance = 0.5 * (seen - rebuilt).square().sum(1).mean()  # -log of the unit Gaussian, but for its constant
        decoder_moves, critic_moves = self.turns(F.softplus(-on_data).mean(), F.softplus(on_fakes).mean())
        self.watched = {"KL": kl, "feature distance": distance}
        self.watched |= {"decoder's moves": decoder_moves.to(kl), "critic's moves": critic_moves.to(kl)}
        return {
            "encoder": kl + distance,
            "decoder": only_if(decoder_moves, self.gamma * distance + self.decoder_loss(on_fakes)),
            "critic": only_if(critic_moves, losses.classification(on_data, on_fakes)),
        }

    def turns(self, cost_of_data: Tensor, cost_of_fakes: Tensor) -> tuple[Tensor, Tensor]:
        """Whether the decoder moves, and whether the critic does, at these costs of the critic's: () bool each.
        Where both should skip, both move."""
        decoder_ahead = torch.maximum(cost_of_data, cost_of_fakes) > self.highest
        critic_ahead = torch.minimum(cost_of_data, cost_of_fakes) < self.lowest
        both = decoder_ahead & critic_ahead
        return both | ~decoder_ahead, both | ~critic_ahead

    def posterior(self, x: Tensor) -> Code:
        """q(z | x): (B, *shape) -> (B, latent) each"""
        return Code(*self.encoder(x).chunk(2, dim=1))

    def encode(self, x: Tensor) -> Tensor:
        return self.posterior(x).mean  # (B, *shape) -> (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        return alternate(lambda filled: self.decode(self.posterior(filled).draw(rng)), x, mask, rng)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.decode(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)


def only_if(moves: Tensor, loss: Tensor) -> Tensor:
    """The loss, with a gradient of zero unless its player `moves`."""
    return torch.where(moves, loss, loss.detach())
