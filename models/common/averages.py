"""Averages of weights, for models that are sampled from these and not from the last ones.

The exponential moving average of Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models",
2022, arXiv:2206.00364, section F.2, with a decay that rises at first, lest the initial weights count for long: after n
steps the average is of about the last n / 9, until that is as the decay says (of 0.999 after 9,000 steps).
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from models.common import check


class Averaged(nn.Module):
    """A net and its average: in training it is the net, in evaluation the average, unless the decay is 0."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__()
        check.decay(ema=decay)
        self.net, self.decay = net, decay
        self.mean = deepcopy(net).requires_grad_(False) if decay else None
        self.updates = nn.Buffer(torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        used = self.net if self.mean is None or self.training else self.mean
        answer: Tensor = used(x, t, label)
        return answer

    @torch.no_grad()
    def update(self) -> None:
        """After every step of the optimizer."""
        if self.mean is not None:
            self.updates.add_(1)
            last, mean = ([parameter.detach() for parameter in net.parameters()] for net in (self.net, self.mean))
            share = 1 - ((1 + self.updates) / (10 + self.updates)).clamp(max=self.decay)
            way = torch._foreach_sub(last, mean)
            torch._foreach_mul_(way, share.to(mean[0].dtype))
            torch._foreach_add_(mean, way)
