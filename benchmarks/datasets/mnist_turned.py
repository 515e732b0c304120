"""MNIST's digits, 28x28 in 256 grey levels, to be turned by 90 degrees, against the clock.

Y. LeCun et al., 1998, as in `mnist`; what is known of the translation stands in `digits_turned`.
"""

from pathlib import Path

from benchmarks.datasets import mnist
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.translation import from_partners, turned


def load(*, root: Path) -> Splits:
    return from_partners(mnist.load(root=root), turned)
