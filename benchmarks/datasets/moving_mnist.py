"""Stochastic Moving MNIST: two digits of 32 pixels that bounce in a frame of 64x64, 5 frames given and 10 to predict.

E. Denton, R. Fergus, "Stochastic Video Generation with a Learned Prior", 2018, arXiv:1802.07687: MNIST's digits
enlarged to 32 pixels, velocities of up to 4 pixels a frame either way, a new one at every wall, light that adds up to
white. Test clips are of MNIST's test digits.

Departure: a fixed set of clips, where theirs are drawn anew for every batch; 15 frames in all parts, where theirs are
tested on 30; a digit bounces once its ink touches a wall (`common/bouncing.py`). So figures do not compare with theirs.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from benchmarks.datasets import mnist
from benchmarks.datasets.common.bouncing import bouncing
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Split, Splits

SIDE, DIGIT, SPEED, COUNT = 64, 32, 4, 2


def load(
    *,
    root: Path,
    frames: PositiveInt = 15,
    seen: NonNegativeInt = 5,
    train: PositiveInt = 1_000,
    validation: PositiveInt = 1_000,
    test: PositiveInt = 1_000,
    seed: Seed = 0,
) -> Splits:
    source, sizes = enlarged(mnist.load(root=root)), (train, validation, test)
    return bouncing(source, sizes, side=SIDE, count=COUNT, frames=frames, speed=SPEED, seen=seen, seed=seed)


def enlarged(source: Splits) -> Splits:
    """Images (N, 1, 28, 28) to (N, 1, 32, 32), bilinearly."""
    train, validation, test = (Split(resized(part.x), part.labels) for part in source.parts)
    return source._replace(train=train, validation=validation, test=test)


def resized(x: Tensor) -> Tensor:
    chunks = (F.interpolate(part.float(), (DIGIT, DIGIT), mode="bilinear") for part in x.split(5_000))
    return torch.cat([chunk.round().to(torch.uint8) for chunk in chunks])
