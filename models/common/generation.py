"""Nets for the hidden part y of an image given the seen part x: p(y | x, z), and first guesses that x alone allows.

Sohn, Lee, Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.common import likelihoods
from models.common.nets import Form, decoder, encoder
from models.common.pixels import to_levels
from models.common.protocol import Spec


class Generation(nn.Module):
    """p(y | x, z); without z it is a baseline."""

    def __init__(self, spec: Spec, seen: Tensor, latent: int, *, nets: Form, width: int, depth: int, lr: float) -> None:
        super().__init__()
        self.sight = encoder(spec, width, width=width, depth=depth, nets=nets)
        self.decoder = decoder(spec, width + latent, width=width, depth=depth, nets=nets, bounded=False)
        self.likelihood = likelihoods.of(spec, lr=lr)
        self.hidden = nn.Buffer((~seen).flatten().nonzero().squeeze(1), persistent=False)  # (P,) indices

    def log_prob(self, image: Tensor, features: Tensor, *z: Tensor) -> Tensor:
        """(B, C, H, W), (B, width), (B, latent) -> (B,) nats of the image's hidden pixels"""
        out = self.decoder(torch.cat([features, *z], 1))  # (B, C, H, W)
        return self.likelihood.log_prob(*(pixels.flatten(2)[:, :, self.hidden] for pixels in (image, out)))

    def mean(self, features: Tensor, *z: Tensor) -> Tensor:
        return self.likelihood.mean(self.decoder(torch.cat([features, *z], 1)))  # (B, C, H, W)


class Baseline(nn.Module):
    """A guess at y from x, by the one of two nets that was not trained on this x: what a net says of its own training
    data is better than what it says of new ones, and who is told of it would trust it too far."""

    def __init__(self, made: Callable[[], Generation], levels: int) -> None:
        super().__init__()
        self.of_even, self.of_odd, self.levels = made(), made(), levels or 256

    def odd(self, x: Tensor) -> Tensor:
        """Which half of the data an image is in, by the sum of its levels: (B, C, H, W) -> (B,) bool"""
        return to_levels(x, self.levels).flatten(1).sum(1) % 2 == 1

    def log_prob(self, image: Tensor, x: Tensor) -> Tensor:
        """(B, C, H, W), (B, C, H, W) -> (B,) nats of the hidden pixels, by the net that learns from this half"""
        even, odd = (net.log_prob(image, net.sight(x)) for net in (self.of_even, self.of_odd))
        return torch.where(self.odd(x), even, odd)

    def forward(self, x: Tensor) -> Tensor:
        even, odd = (net.mean(net.sight(x)) for net in (self.of_even, self.of_odd))
        return torch.where(self.odd(x)[:, None, None, None], odd, even)  # (B, C, H, W) -> (B, C, H, W)
