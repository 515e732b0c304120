"""Small handwritten digits that bounce in a frame of 16x16: clips of 12 frames whose law is known; no download.

The law (`common/bouncing.py`) is that of Stochastic Moving MNIST (E. Denton, R. Fergus, "Stochastic Video Generation
with a Learned Prior", 2018, arXiv:1802.07687), and the digits are those of `digits`, each part's own: no digit of a
test clip has been seen in training. Places are whole pixels, so that where a digit is can be read off a frame exactly.

Departure: scikit-learn's 8x8 digits in MNIST's place, one of them unless two are asked for; walls stop a digit's ink,
where in theirs they stop the box around it, whose edge nobody sees.
"""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from benchmarks.datasets import digits
from benchmarks.datasets.common.bouncing import bouncing
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits

SIDE = 16


def load(
    *,
    count: Literal[1, 2] = 1,
    frames: PositiveInt = 12,
    seen: NonNegativeInt = 4,
    speed: PositiveInt = 2,
    train: PositiveInt = 10_000,
    validation: PositiveInt = 1_000,
    test: PositiveInt = 2_000,
    seed: Seed = 0,
) -> Splits:
    sizes = (train, validation, test)
    return bouncing(digits.load(), sizes, side=SIDE, count=count, frames=frames, speed=speed, seen=seen, seed=seed)
