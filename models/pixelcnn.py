"""PixelCNN: every pixel's level from the pixels above it and to its left, with an exact likelihood.

van den Oord, Kalchbrenner, Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016, arXiv:1601.06759: sections 3.3 to
3.5, figure 5 (left) and table 1, with a softmax over the data's own levels.

Departure: `width` (the paper's 2h) and `depth` (residual blocks) are small by default. The paper gives no learning
rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer, RMSprop

from models.common import check
from models.common.pixels import from_levels, to_levels
from models.common.protocol import Batch, Losses, Move, Spec


class MaskedConv(nn.Conv2d):
    """A convolution that sees the rows above and the pixels to the left. Channels fall into as many groups as the
    image has colours, in order; at the centre a group sees the groups before it, and itself if the mask is B."""

    def __init__(self, mask: Literal["A", "B"], colours: int, inp: int, out: int, size: int) -> None:
        super().__init__(inp, out, size, padding=size // 2)
        to, of = (torch.arange(n) * colours // n for n in (out, inp))  # group of each channel
        seen = torch.zeros(out, inp, size, size)
        seen[:, :, : size // 2] = 1
        seen[:, :, size // 2, : size // 2] = 1
        seen[:, :, size // 2, size // 2] = (to[:, None] > of if mask == "A" else to[:, None] >= of).to(seen)
        self.register_buffer("mask", seen)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class Residual(nn.Sequential):
    """2h -> h -> h -> 2h features, added to its input."""

    def __init__(self, colours: int, width: int) -> None:
        half = width // 2
        super().__init__(
            *(nn.ReLU(), MaskedConv("B", colours, width, half, 1)),
            *(nn.ReLU(), MaskedConv("B", colours, half, half, 3)),
            *(nn.ReLU(), MaskedConv("B", colours, half, width, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Model(nn.Module):
    given = "nothing"
    bound = False
    estimator = "exact"

    def __init__(self, spec: Spec, *, lr: float = 1e-3, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        if len(spec.shape) != 3 or spec.levels < 2:
            data = "points" if len(spec.shape) == 1 else f"of {spec.levels} levels and"
            raise ValueError(f"pixelcnn needs images with grey levels, the data are {data} of shape {spec.shape}")
        self.shape, self.levels, self.lr = spec.shape, spec.levels, lr
        colours = spec.shape[0]
        check.at_least(2 * colours, width=width)
        check.at_least(1, depth=depth)
        check.positive(lr=lr)
        self.body = nn.Sequential(
            MaskedConv("A", colours, colours, width, 7), *(Residual(colours, width) for _ in range(depth))
        )
        self.head = nn.Sequential(  # 1x1: a pixel's own features only
            *(nn.ReLU(), MaskedConv("B", colours, width, width, 1)),
            *(nn.ReLU(), MaskedConv("B", colours, width, colours * self.levels, 1)),
        )

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": RMSprop(self.parameters(), self.lr, foreach=True)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.likelihood_move]

    def likelihood_move(self, batch: Batch) -> Losses:
        return {"model": -self.log_prob(batch.x).mean()}

    def log_prob(self, x: Tensor) -> Tensor:
        logits = self.logits(self.body(x))  # (B, C, H, W) -> (B, L, C, H, W)
        nats = F.cross_entropy(logits.to(x.dtype), to_levels(x, self.levels), reduction="none")  # (B, C, H, W)
        return -nats.flatten(1).sum(1)

    def logits(self, features: Tensor) -> Tensor:
        """(B, width, H, W) -> (B, L, C, H, W)"""
        return self.head(features).unflatten(1, (self.shape[0], self.levels)).transpose(1, 2)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.draw(n, rng)[0]

    def draw(self, n: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """n images, one pixel and colour after the other, and their log-probabilities: (n, C, H, W), (n,)"""
        colours, height, breadth = self.shape
        weight = next(self.parameters())
        x = torch.zeros(n, *self.shape, dtype=weight.dtype, device=rng.device)
        log_prob = x.new_zeros(n)
        for row in range(height):
            for column in range(breadth):
                for colour in range(colours):
                    features = self.body(x[:, :, : row + 1])[:, :, row:, column : column + 1]  # rows below are unseen
                    log_p = self.logits(features)[:, :, colour, 0, 0].log_softmax(1)  # (n, L)
                    level = torch.multinomial(log_p.exp(), 1, generator=rng)  # (n, 1)
                    log_prob += log_p.gather(1, level)[:, 0]
                    x[:, colour, row, column] = from_levels(level[:, 0], self.levels, like=x)
        return x, log_prob
