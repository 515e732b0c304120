"""Handwritten digits, 8x8 in 17 grey levels, white on black, to be made black on white.

J.-Y. Zhu, T. Park, P. Isola, A. A. Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", 2017, arXiv:1703.10593, Section 5.2, see colours inverted that should not be. Here they should.

The digits are those of `digits`, two thirds of them to train on: training shows half of these in either domain, so
that nobody who learns without pairs sees one anywhere.
"""

from functools import partial

from pydantic import PositiveInt

from benchmarks.datasets import digits
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.translation import from_partners, inverted


def load(*, train: PositiveInt = 1200, validation: PositiveInt = 97, test: PositiveInt = 500, seed: Seed = 0) -> Splits:
    splits = digits.load(train=train, validation=validation, test=test, seed=seed)
    return from_partners(splits, partial(inverted, levels=splits.levels))
