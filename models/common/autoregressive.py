"""What PixelCNN and PixelRNN share: the exact likelihood of images whose pixels are drawn one after the other.

van den Oord, Kalchbrenner, Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016, arXiv:1601.06759, equation 1. With
labels, as in van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016, arXiv:1606.05328, they
are equally likely. A model file inherits from `Autoregressive`, and states its layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, optimizers, raster
from models.common.pixels import check_levels
from models.common.protocol import Batch, Losses, Move, Spec


class Autoregressive(nn.Module):
    """Called with images and their labels or None, (B, C, H, W), (B,), it answers with logits (B, C, L, H, W)."""

    given = "nothing"
    bound = False
    estimator = "exact"
    labels: Sequence[int | None] = (None,)

    def __init__(self, spec: Spec, *, lr: float = 1e-3, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        check.at_least(2 * spec.shape[0], width=width)  # a channel for each colour, where a layer halves them
        check.at_least(1, depth=depth)
        check.positive(lr=lr)
        self.shape, self.levels, self.lr, self.width, self.depth = spec.shape, spec.levels, lr, width, depth
        self.evaluations = math.prod(spec.shape)  # a pixel's colour each

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": optimizers.adam(self.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.likelihood_move]

    def likelihood_move(self, batch: Batch) -> Losses:
        nats = raster.pixel_log_prob(self(batch.x, batch.label), batch.x)  # (B, C, H, W)
        return {"model": -nats.flatten(1).sum(1).mean()}

    def pixel_nats(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        check_levels(x, self.levels)
        label = check.told(label) if self.given == "label" else None
        return raster.pixel_log_prob(self(x, label), x)  # (B, C, H, W), (B,) -> (B, C, H, W)

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,) nats, the marginal over labels"""
        check_levels(x, self.levels)
        return self.log_prob_by_label(x, torch.ones_like(x[:, :1])).logsumexp(1) - math.log(len(self.labels))

    def log_prob_by_label(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, K) nats of what the mask (B, 1, H, W), a prefix, shows of x under each of `labels`."""
        nats = []
        for label in self.labels:
            given = label if label is None else torch.full((len(x),), label, device=x.device)
            nats.append((raster.pixel_log_prob(self(x, given), x) * mask).flatten(1).sum(1))
        return torch.stack(nats, 1)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.drawn(n, given, rng)[0]

    def drawn(self, n: int, label: Tensor | None, rng: Generator) -> tuple[Tensor, Tensor]:
        """n images (n, C, H, W) and their log-probabilities (n,)"""
        if self.given == "label" and (label is None or len(label) != n):
            raise ValueError(f"{n} samples need {n} labels, given are {label if label is None else len(label)}")
        x = next(self.parameters()).new_zeros(n, *self.shape)
        return raster.draw(self, x, torch.zeros_like(x[:, :1], dtype=torch.bool), rng, label)

    @torch.no_grad()
    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        """x (B, C, H, W) with the pixels hidden by the mask (B, 1, H, W) drawn given those it shows, a prefix in raster
        order: exact, and with labels a label is drawn first, from what it is given the pixels shown."""
        x = raster.observed(x, mask, self.levels)
        label = None
        if self.given == "label":
            log_p = self.log_prob_by_label(x, mask).log_softmax(1)  # (B, K)
            chance = torch.rand(len(x), generator=rng, dtype=x.dtype, device=rng.device)
            label = raster.inverse_distribution(log_p, chance)
        return raster.draw(self, x, mask, rng, label)[0]
