"""The VQ-VAE: every place of a small grid holds one of a book of codes, and a PixelCNN learns which grids there are.

van den Oord, Vinyals, Kavukcuoglu, "Neural Discrete Representation Learning", 2017, arXiv:1711.00937: the nearest code
is equations 1 and 2, the loss equation 3 with its last two terms averaged over the places. The prior is uniform in
training, and fitted to the codes in `finish`. Likelihood: section 3.2's lower bound log p(x | z) + log p(z) at x's z.

Departure: the house's nets up to their dense layer, and a 3x3 convolution in place of residual blocks (8x8 images have
2x2 codes, 28x28 have 7x7); p(x | z) as in `models.common.likelihoods`; a point has one row of `slots` codes. The prior
is a PixelCNN (arXiv:1601.06759) of `depth` plain masked convolutions; how it is trained, the paper does not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, likelihoods, optimizers
from models.common.likelihoods import Likelihood
from models.common.nets import Net, decoder, encoder, mlp, pyramid
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.raster import Place, plain, walking
from models.common.repair import alternate


class Model(nn.Module):
    given = "nothing"
    bound = True
    estimator = "ELBO, deterministic code"

    def __init__(
        self,
        spec: Spec,
        *,
        codes: int = 512,
        size: int = 64,
        slots: int = 2,
        commitment: float = 0.25,
        likelihood: Likelihood = "fitting",
        prior_epochs: int = 50,
        lr: float = 2e-4,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, codes=codes, size=size, slots=slots, prior_epochs=prior_epochs)
        check.positive(commitment=commitment, lr=lr)
        self.commitment, self.prior_epochs, self.lr = commitment, prior_epochs, lr
        self.encoder, self.decoder, self.grid = nets(spec, size, slots, width=width, depth=depth)
        self.codebook = nn.Parameter(torch.empty(codes, size).uniform_(-1 / codes, 1 / codes))
        self.likelihood = likelihoods.of(spec, likelihood, lr)
        self.prior = plain(size, codes, width=width, depth=depth).requires_grad_(False)  # no player's
        self.latent = size * self.grid[0] * self.grid[1]
        self.evaluations = self.grid[0] * self.grid[1] + 1  # the prior's a place, the decoder's one
        self.watched: dict[str, Tensor] = {}

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": optimizers.adam([weight for weight in self.parameters() if weight.requires_grad], self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.bound_move]

    def bound_move(self, batch: Batch) -> Losses:
        encoded = self.encoder(batch.x)  # (B, *shape) -> (B, size, h, w)
        index = self.nearest(encoded)  # (B, h, w)
        code = self.embedded(index)  # (B, size, h, w)
        straight = encoded + (code - encoded).detach()  # the code, with the encoder's gradient
        distortion = -self.likelihood.log_prob(batch.x, self.decoder(straight)).mean()
        to_codes = (encoded.detach() - code).square().sum(1).mean()
        to_data = (encoded - code.detach()).square().sum(1).mean()
        count = index.new_zeros(len(self.codebook)).index_add(0, index.flatten(), torch.ones_like(index.flatten()))
        self.watched = {"reconstruction": distortion, "distance": to_data}
        self.watched["codes used"] = torch.special.entr(count / index.numel()).sum().exp()  # their perplexity
        return {"model": distortion + to_codes + self.commitment * to_data}

    def nearest(self, encoded: Tensor) -> Tensor:
        """Which code is nearest, in every place: (B, size, h, w) -> (B, h, w)"""
        places = encoded.detach().movedim(1, 3)
        return torch.cdist(places.flatten(0, 2), self.codebook.detach()).argmin(1).view(places.shape[:3])

    def embedded(self, index: Tensor) -> Tensor:
        return F.embedding(index, self.codebook).movedim(3, 1)  # (B, h, w) -> (B, size, h, w)

    def prior_nats(self, index: Tensor) -> Tensor:
        """-log p(z) of grids of codes: (B, h, w) -> (B,)"""
        logits = self.prior(self.embedded(index).detach())  # (B, codes, h, w)
        return F.cross_entropy(logits, index, reduction="none").flatten(1).sum(1)

    def finish(self, batches: Iterable[Batch]) -> None:
        """Fit the prior to the codes of all the training data."""
        index = torch.cat([self.nearest(self.encoder(batch.x)) for batch in batches])  # (N, h, w)
        chance = torch.Generator().manual_seed(0)
        optimizer = optimizers.adam(self.prior.requires_grad_(True).parameters(), 1e-3)
        for _ in range(self.prior_epochs):
            for rows in torch.randperm(len(index), generator=chance).split(128):
                optimizer.zero_grad()
                with torch.enable_grad():
                    self.prior_nats(index[rows.to(index.device)]).mean().backward()
                optimizer.step()
        self.prior.requires_grad_(False)

    def rate_distortion(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, *shape) -> -log p(z) and -log p(x | z) at the code z of x, (B,) nats each"""
        index = self.nearest(self.encoder(x))
        return self.prior_nats(index), -self.likelihood.log_prob(x, self.decoder(self.embedded(index)))

    def log_prob(self, x: Tensor) -> Tensor:
        return -torch.add(*self.rate_distortion(x))  # (B, *shape) -> (B,)

    def encode(self, x: Tensor) -> Tensor:
        return self.coded(x).flatten(1)  # (B, *shape) -> (B, latent)

    def coded(self, x: Tensor) -> Tensor:
        return self.embedded(self.nearest(self.encoder(x)))  # (B, *shape) -> (B, size, h, w)

    def decode(self, z: Tensor) -> Tensor:
        return self.likelihood.mean(self.decoder(z.unflatten(1, (-1, *self.grid))))  # (B, latent) -> (B, *shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))  # (B, *shape) -> (B, *shape)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        return alternate(lambda filled: self.likelihood.draw(self.decoder(self.coded(filled)), rng), x, mask, rng)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        place = Place(n, (self.codebook.shape[1], *self.grid))
        prior = walking(self.prior, place)
        for place.row in range(self.grid[0]):
            for place.column in range(self.grid[1]):
                at = (..., place.row, place.column)
                chance = prior(place.x[at]).softmax(1)  # (n, size) -> (n, codes)
                place.x[at] = self.codebook[torch.multinomial(chance, 1, generator=rng)[:, 0]]
        out = self.decoder(place.x)  # (n, size, h, w) -> (n, *shape)
        return self.likelihood.mean(out) if out.dim() > 2 else self.likelihood.draw(out, rng)  # images are the mean


def nets(spec: Spec, size: int, slots: int, *, width: int, depth: int) -> tuple[nn.Module, nn.Module, tuple[int, int]]:
    """(B, *shape) -> (B, size, h, w), the way back, and the grid (h, w)"""
    check.still(spec)
    if len(spec.shape) == 1:
        here, there = mlp(spec.shape[0], size * slots, width, depth), mlp(size * slots, spec.shape[0], width, depth)
        return Net(here, nn.Unflatten(1, (size, 1, slots))), Net(nn.Flatten(), there), (1, slots)
    (*_, channels), grid = pyramid(spec, width)
    *down, _, _ = encoder(spec, 1, width=width, depth=depth)
    _, _, *up = decoder(spec, 1, width=width, depth=depth, bounded=False)
    return Net(*down, nn.Conv2d(channels, size, 3, padding=1)), Net(nn.Conv2d(size, channels, 3, padding=1), *up), grid
