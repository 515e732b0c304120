"""MNIST's digits, 28x28 in 256 grey levels, to be reduced to their outlines.

Y. LeCun et al., 1998, as in `mnist`; what is known of the translation stands in `digits_edges`.
"""

from functools import partial
from pathlib import Path

from benchmarks.datasets import mnist
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.translation import edges, from_partners


def load(*, root: Path) -> Splits:
    splits = mnist.load(root=root)
    return from_partners(splits, partial(edges, levels=splits.levels))
