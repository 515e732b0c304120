"""Handwritten digits, 8x8 in 17 grey levels, to be turned by 90 degrees, against the clock.

J.-Y. Zhu, T. Park, P. Isola, A. A. Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", 2017, arXiv:1703.10593, name changes of shape as what their method is bad at (Section 6). Here is one whose
every pixel is known.

The digits are those of `digits`, two thirds of them to train on: training shows half of these in either domain, so
that nobody who learns without pairs sees one anywhere.
"""

from pydantic import PositiveInt

from benchmarks.datasets import digits
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.translation import from_partners, turned


def load(*, train: PositiveInt = 1200, validation: PositiveInt = 97, test: PositiveInt = 500, seed: Seed = 0) -> Splits:
    splits = digits.load(train=train, validation=validation, test=test, seed=seed)
    return from_partners(splits, turned)
