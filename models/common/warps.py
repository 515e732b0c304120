"""Pixels taken from other places: spatial transformers side by side, each with a small change of what it takes.

Jaderberg, Simonyan, Zisserman, Kavukcuoglu, "Spatial Transformer Networks", 2015, arXiv:1506.02025, equation 1, an
affine map of places, and section 3.4, several in parallel. Departure: the map is the same for all images; a pixel is
the mean of those around its place, weighed by a Gaussian whose width is learned (Gregor, Danihelka, Graves, Rezende,
Wierstra, "DRAW", 2015, arXiv:1502.04623, section 3.2), so that what is far has a gradient, too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN = 16  # channels between the two convolutions of a change
WIDE = 0.5  # of a Gaussian at first, where an image reaches from -1 to 1


class Warps(nn.Module):
    """One for each of `maps` (K, 2, 2), which say where in the source the places of the target lie."""

    def __init__(self, source: tuple[int, ...], target: tuple[int, ...], maps: Tensor) -> None:
        super().__init__()
        self.count, self.channels, (channels, height, width) = len(maps), target[0], source
        sides = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
        self.places = nn.Buffer(torch.stack(torch.meshgrid(*sides, indexing="ij"), 2).view(1, -1, 2))
        self.maps, self.shifts = nn.Parameter(maps.clone()), nn.Parameter(torch.zeros(self.count, 1, 2))
        self.widths = nn.Parameter(torch.full((self.count, 1, 1), WIDE).log())
        self.spread = nn.Conv2d(self.count * channels, self.count * HIDDEN, 3, padding=1, groups=self.count)
        self.change = nn.Conv2d(self.count * HIDDEN, self.count * target[0], 1, groups=self.count)
        for parameter in self.change.parameters():  # none at first
            nn.init.zeros_(parameter)

    def taken(self) -> Tensor:
        """How much of each pixel of the source is in each of the target: (K, pixels, pixels)"""
        with torch.autocast(self.maps.device.type, enabled=False):  # places are exact
            from_ = self.places @ self.maps.transpose(1, 2) + self.shifts
            apart = (from_[:, :, None] - self.places[:, None]).square().sum(3)
            return (-0.5 * apart * (-2 * self.widths).exp()).softmax(2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1 or K, *source) -> (B, K, *target): all of the same, or each of its own"""
        moved = torch.einsum("kij,bkcj->bkci", self.taken(), x.flatten(3).expand(-1, self.count, -1, -1))
        moved = moved.to(x.dtype).unflatten(3, x.shape[3:])  # (B, K, C, H, W)
        change = self.change(F.relu(self.spread(moved.flatten(1, 2)))).unflatten(1, (self.count, -1))
        if moved.shape[2] != self.channels:  # grey of colours, or colours of grey
            moved = moved.mean(2, keepdim=True)
        return moved + change.to(x.dtype)


def turns(count: int) -> Tensor:
    """Turned, and mirrored or not, by chance (the global generator): (count, 2, 2) orthogonal"""
    angle = 2 * torch.pi * torch.rand(count)
    sine, cosine, side = angle.sin(), angle.cos(), torch.randint(2, (count,)) * 2 - 1
    return torch.stack([cosine, -side * sine, sine, side * cosine], 1).view(-1, 2, 2)
