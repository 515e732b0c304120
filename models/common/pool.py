"""The history of images that critics are shown in place of the newest ones.

Shrivastava, Pfister, Tuzel, Susskind, Wang, Webb, "Learning from Simulated and Unsupervised Images through Adversarial
Training", 2016, arXiv:1612.07828, section 2.3, as in CycleGAN's code: what comes fills the pool first; afterwards each
datum, with probability one half, changes places with one in the pool.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Pool(nn.Module):
    """`size` data; 0: none, and the newest are shown."""

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.kept = nn.Buffer(torch.zeros(size, *shape))  # (size, *shape)
        self.come = nn.Buffer(torch.zeros((), dtype=torch.int64))  # how many data so far

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B, *shape), as if they came one after the other. Reads no value back."""
        if not self.size:
            return x.detach()
        n = torch.arange(len(x), device=x.device)
        fills = self.come + n < self.size  # (B,)
        swaps = ~fills & (torch.rand(len(x), device=x.device) < 0.5)
        place = torch.where(fills, self.come + n, torch.randint(self.size, (len(x),), device=x.device))
        # Who was put last into a place: among all for the pool, among those before it for a datum that is put there.
        put = (fills | swaps) & (place == torch.arange(self.size, device=x.device)[:, None])  # (size, B)
        last = torch.where(put, n, -1).cummax(1).values  # (size, B): the last one up to and with each
        before = torch.cat([torch.full_like(last[:, :1], -1), last[:, :-1]], 1)[place, n]  # (B,)
        out = torch.where(rows(before >= 0, x), x[before.clamp(min=0)], self.kept[place])
        newest = last[:, -1]
        self.kept.copy_(torch.where(rows(newest >= 0, x), x[newest.clamp(min=0)], self.kept))
        self.come += len(x)
        return torch.where(rows(swaps, x), out, x)


def rows(mask: Tensor, x: Tensor) -> Tensor:
    """(B,) to what stands beside (B, *shape)."""
    return mask.view(-1, *[1] * (x.dim() - 1))
