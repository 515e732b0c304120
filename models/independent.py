"""Independent pixels: every pixel is drawn from its own histogram of levels. What a likelihood is worth starts here.

Krichevsky, Trofimov, "The Performance of Universal Encoding", IEEE Transactions on Information Theory 27, 1981
(doi:10.1109/TIT.1981.1056331): of N training images with n at a level, one of L, its probability is
(n + 1/2) / (N + L/2), so that a level that a pixel never had in training is not impossible.

Departure: theirs is a code for a sequence, one symbol after the other; here all training images are counted first. It
has no players and takes no steps. Holes are filled with each pixel's mean, whatever is observed: the baseline of
inpainting, and no draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.pixels import check_levels, from_levels, to_levels
from models.common.protocol import Batch, Move, Spec
from models.common.repair import check_mask


class Model(nn.Module):
    given = "nothing"
    bound = False
    estimator = "exact"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        (check.clips if len(spec.shape) == 4 else check.images)(spec, model="independent")
        self.shape, self.levels = spec.shape, spec.levels
        pixels = math.prod(spec.shape)
        self.share = nn.Buffer(torch.full((pixels, spec.levels), 1 / spec.levels))  # of each level, P pixels

    def optimizers(self) -> dict[str, Optimizer]:
        return {}

    def moves(self, step: int) -> Sequence[Move]:
        return []

    def finish(self, batches: Iterable[Batch]) -> None:
        count = torch.full_like(self.share, 0.5, dtype=torch.float64)  # (P, L)
        for batch in batches:
            count += F.one_hot(self.of_pixels(batch.x), self.levels).sum(0)
        self.share.copy_(count / count.sum(1, keepdim=True))

    def of_pixels(self, x: Tensor) -> Tensor:
        check_levels(x, self.levels)
        return to_levels(x, self.levels).flatten(1)  # (B, C, H, W) -> (B, P)

    def pixel_nats(self, x: Tensor) -> Tensor:
        level = self.of_pixels(x)[..., None]  # (B, P, 1)
        return self.share.log().expand(len(x), -1, -1).gather(2, level).view_as(x)  # (B, C, H, W)

    def log_prob(self, x: Tensor) -> Tensor:
        return self.pixel_nats(x).flatten(1).sum(1)  # (B, C, H, W) -> (B,)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        level = torch.multinomial(self.share, n, replacement=True, generator=rng).T  # (n, P)
        return from_levels(level, self.levels, like=self.share).unflatten(1, self.shape)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        check_mask(x, mask)
        value = from_levels(torch.arange(self.levels, device=x.device), self.levels, like=self.share)  # (L,)
        return torch.where(mask, x, (self.share @ value).view(self.shape))
