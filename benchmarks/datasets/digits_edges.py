"""Handwritten digits, 8x8 in 17 grey levels, to be reduced to their outlines.

Many digits could have one outline, so that the way back is one to many. P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros,
"Image-to-Image Translation with Conditional Adversarial Networks", 2016, arXiv:1611.07004, go that way, from edges to
photographs.

The digits are those of `digits`, two thirds of them to train on: training shows half of these in either domain, so
that nobody who learns without pairs sees one anywhere.
"""

from functools import partial

from pydantic import PositiveInt

from benchmarks.datasets import digits
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.translation import edges, from_partners


def load(*, train: PositiveInt = 1200, validation: PositiveInt = 97, test: PositiveInt = 500, seed: Seed = 0) -> Splits:
    splits = digits.load(train=train, validation=validation, test=test, seed=seed)
    return from_partners(splits, partial(edges, levels=splits.levels))
