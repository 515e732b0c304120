"""MADE: an autoencoder whose masks let each pixel be predicted from earlier ones alone, with an exact likelihood.

Germain, Gregor, Murray, Larochelle, "MADE: Masked Autoencoder for Distribution Estimation", 2015, arXiv:1502.03509,
sections 3 and 4, `direct` with the connections from inputs to outputs. Of two levels a pixel is Bernoulli, of more
categorical. One order is the raster's; of more `orders`, drawn once, each step of training takes one in turn, and the
model is their ensemble: p(x) is the mean of theirs.

Departure: pixels enter as numbers from -1 to 1; the degrees of hidden units are even and stay, they are not drawn; Adam
in place of Adagrad and Adadelta. An ensemble is drawn from by drawing an order first.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.common import check, masked, raster
from models.common.autoregressive import Autoregressive
from models.common.layers import FromPixels, ToPixels
from models.common.pixels import check_levels
from models.common.protocol import Batch, Losses, Spec
from models.common.raster import Place


class Linear(nn.Linear):
    """By the weights alone that the mask lets be: (B, inp), (out, inp) -> (B, out)"""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]  # for each order another mask
        return F.linear(x, self.weight * mask, self.bias)


class Model(Autoregressive):
    def __init__(
        self, spec: Spec, *, width: int = 500, depth: int = 1, orders: int = 1, direct: bool = False, **base: Any
    ) -> None:
        check.images(spec, model="made")
        check.at_least(1, orders=orders)
        super().__init__(spec, width=width, depth=depth, **base)
        dims = math.prod(spec.shape)
        self.flat, self.image = FromPixels(), ToPixels(*spec.shape)  # D pixels by row, column and colour
        self.outs = 1 if spec.levels == 2 else spec.levels
        sizes = [dims, *[width] * depth, dims * self.outs]
        self.layers = nn.ModuleList(Linear(wide, narrow) for wide, narrow in pairwise(sizes))
        self.direct = Linear(sizes[0], sizes[-1], bias=False) if direct else None
        rng = Generator().manual_seed(0)
        drawn = (torch.randperm(dims, generator=rng) for _ in range(orders - 1))
        self.orders = nn.Buffer(torch.stack([torch.arange(dims), *drawn]) + 1)  # (K, D) when each pixel has its turn
        self.degrees = nn.Buffer(masked.spread(dims, width))

    def forward(self, x: Tensor, order: Tensor) -> Tensor:
        """(B, D), (D,) -> (B, D, L) logits of each pixel given those before it in the order"""
        masks = masked.masks(order, [self.degrees] * self.depth, self.outs)
        h = x
        for layer, mask in zip(self.layers, masks, strict=True):
            h = layer(h if layer is self.layers[0] else h.relu(), mask)
        if self.direct is not None:
            (mask,) = masked.masks(order, [], self.outs)
            h = h + self.direct(x, mask)
        logits = h.unflatten(1, (self.outs, -1)).transpose(1, 2)
        return logits if self.outs > 1 else F.pad(logits, (1, 0))  # of black and white 0 and the log of the odds

    def nats(self, x: Tensor, order: Tensor) -> Tensor:
        """(B, C, H, W) of each pixel given those before it in the order"""
        logits = self(self.flat(x), order).unflatten(1, (*x.shape[2:], -1))  # (B, H, W, C, L)
        return raster.pixel_log_prob(logits.permute(0, 3, 4, 1, 2), x)

    def likelihood_move(self, batch: Batch) -> Losses:
        turn = check.told(batch.step, "step").view(1) % len(self.orders)
        order = self.orders.index_select(0, turn)[0]
        return {"model": -self.nats(batch.x, order).flatten(1).sum(1).mean()}

    def each(self, x: Tensor) -> Tensor:
        """(B, K, C, H, W) nats in each order"""
        check_levels(x, self.levels)
        return torch.stack([self.nats(x, order) for order in self.orders], 1)

    def log_prob(self, x: Tensor) -> Tensor:
        return self.each(x).flatten(2).sum(2).logsumexp(1) - math.log(len(self.orders))  # (B,)

    def pixel_nats(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W), the mean over orders as likely as they are given x; of what that lacks of the likelihood
        each pixel has as much"""
        nats = self.each(x)
        share = nats.flatten(2).sum(2).softmax(1)  # (B, K)
        mean = torch.einsum("bk,bkchw->bchw", share, nats)
        lacking = self.log_prob(x) - mean.flatten(1).sum(1)  # (B,), from -log K to 0
        return mean + (lacking / mean[0].numel()).view(-1, 1, 1, 1)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        which = torch.randint(len(self.orders), (n,), generator=rng, device=rng.device)
        x = next(self.parameters()).new_zeros(n, *self.shape)
        for k, order in enumerate(self.orders):
            x[which == k] = InTurn(self, order).drawn(x[which == k], rng)
        return x

    def walking(self, place: Place) -> nn.Module:
        return InTurn(self, self.orders[0]).walking(place)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        """As exact as drawing, where there is one order and the mask shows a prefix of it."""
        if len(self.orders) > 1:
            raise ValueError(f"orders = {len(self.orders)}: a mask shows a prefix of one order only, set orders = 1")
        return super().inpaint(x, mask, rng)


class InTurn(nn.Module):
    """The model as seen by who draws in raster order, its pixels arranged as they have their turn."""

    place: Place

    def __init__(self, model: Model, order: Tensor) -> None:
        super().__init__()
        self.model, self.order, self.turns = model, order, order.argsort()

    def walking(self, place: Place) -> nn.Module:
        self.place = place
        place.x = next(self.model.parameters()).new_zeros(place.n, *place.shape)
        return self

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(n, C, L) logits of the pixel where the walk stands"""
        colours, _, breadth = self.place.shape
        first = (self.place.row * breadth + self.place.column) * colours
        logits = self.model(self.model.flat(self.place.x)[:, self.order - 1], self.order)
        return logits[:, self.turns[first : first + colours]]

    def drawn(self, x: Tensor, rng: Generator) -> Tensor:
        """As many images as x has"""
        arranged = raster.draw(self, x, torch.zeros_like(x[:, :1], dtype=torch.bool), rng)[0]
        return self.model.image(self.model.flat(arranged)[:, self.order - 1])
