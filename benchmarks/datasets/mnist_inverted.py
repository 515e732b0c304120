"""MNIST's digits, 28x28 in 256 grey levels, white on black, to be made black on white.

Y. LeCun et al., 1998, as in `mnist`; what is known of the translation stands in `digits_inverted`.
"""

from functools import partial
from pathlib import Path

from benchmarks.datasets import mnist
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.translation import from_partners, inverted


def load(*, root: Path) -> Splits:
    splits = mnist.load(root=root)
    return from_partners(splits, partial(inverted, levels=splits.levels))
