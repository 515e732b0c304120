"""Where a known thing is in each frame of a clip, by least squares: the place where it explains the frame best.

The squared error of a frame explained by a thing at a place, and black elsewhere, is |frame|^2 + |thing|^2 - 2 <frame,
thing there>, so that the best place has the largest product. In a clip that shows the thing itself the answer is exact,
by Cauchy and Schwarz.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.datasets.common.bouncing import cropped, located
from benchmarks.metrics.common.undefined import Undefined


class Things(NamedTuple):
    """What moves in each of n clips, in light: black is 0, white is 1."""

    light: Tensor  # (n, h, w), from the upper left corner on
    places: Tensor  # (n, T, 2) where it truly is, rows first
    reach: Tensor  # (n, 2) the farthest place: there it touches the lower or the right wall


def light(x: Tensor) -> Tensor:
    """Grey clips (..., 1, H, W) in [-1, 1] as (..., H, W) in [0, 1]."""
    if x.shape[-3] != 1:
        raise Undefined(f"clips have {x.shape[-3]} channels: give grey ones")
    if not x.isfinite().all():
        raise ValueError(f"{int((~x.isfinite()).sum())} pixels of clips are NaN or infinite")
    return ((x.squeeze(-3) + 1) / 2).float()


def things(clips: Tensor) -> Things:
    """Those of true clips (n, T, 1, H, W), each with one thing on black: the ink of its first frame."""
    frames = light(clips)
    frames = frames * (frames > 1e-6)
    places, extent = located(frames)  # (n, T, 2)
    height, width = extent[:, 0].amax(0).tolist()
    size = torch.tensor(frames.shape[-2:], device=clips.device)
    return Things(cropped(frames[:, 0])[0][:, :height, :width], places, size - extent[:, 0])


def products(frames: Tensor, thing: Tensor) -> Tensor:
    """<frame, thing there> for each place of things (K, h, w) in frames (F, H, W): (F, K, H, W)"""
    height, width = thing.shape[1:]
    return F.conv2d(F.pad(frames, (0, width - 1, 0, height - 1))[:, None], thing[:, None])


def matched(frames: Tensor, known: Things) -> Tensor:
    """Where the thing of each of n clips is in their frames (n, T, H, W): (n, T, 2)"""
    n, height, width = len(frames), *known.light.shape[1:]
    padded = F.pad(frames, (0, width - 1, 0, height - 1)).transpose(0, 1)  # (T, n, H', W')
    found = F.conv2d(padded, known.light[:, None], groups=n).transpose(0, 1)  # (n, T, H, W)
    rows, columns = (torch.arange(side, device=frames.device) for side in found.shape[2:])
    beyond = (rows[:, None] > known.reach[:, 0, None, None]) | (columns > known.reach[:, 1, None, None])  # (n, H, W)
    best = found.masked_fill(beyond[:, None], -torch.inf).flatten(2).argmax(2)
    return torch.stack([best // found.shape[3], best % found.shape[3]], 2)
