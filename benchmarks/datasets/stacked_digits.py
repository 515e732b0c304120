"""Stacked digits: three small handwritten digits as the channels of one image, 3x8x8 in 17 grey levels; no download.

The construction is Stacked MNIST's (see `stacked_mnist`), with 1,000 modes; the digits are those of `digits`.

Departure: scikit-learn's 8x8 digits in MNIST's place, so that a thousand modes fit any machine without a network. All
parts draw from all 1,797 digits: a model, and the judge, may know each digit of a test stack, but hardly the stack.
"""

from pydantic import PositiveInt

from benchmarks.datasets import digits
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.stacking import stacked


def load(
    *, train: PositiveInt = 50_000, validation: PositiveInt = 5_000, test: PositiveInt = 52_000, seed: Seed = 0
) -> Splits:
    return stacked(digits.load(), (train, validation, test), seed)
