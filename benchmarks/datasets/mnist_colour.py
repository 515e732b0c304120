"""MNIST's digits, 28x28 in 256 grey levels, to be given a colour each, of which any will do.

Y. LeCun et al., 1998, as in `mnist`; what is known of the translation stands in `digits_colour`.
"""

from pathlib import Path

from benchmarks.datasets import mnist
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.translation import coloured


def load(*, root: Path, seed: Seed = 0) -> Splits:
    return coloured(mnist.load(root=root), seed)
