"""Handwritten digits, 8x8 in 17 grey levels, to be given a colour each, of which any will do.

P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros, "Image-to-Image Translation with Conditional Adversarial Networks", 2016,
arXiv:1611.07004, Section 4.2: who is sure of no colour and pays for every error gives the grey between all of them.
J.-Y. Zhu et al., "Toward Multimodal Image-to-Image Translation", 2017, arXiv:1711.11586: so draws are to be diverse.
Grey is three equal channels, as both papers' code reads it.

The digits are those of `digits`, two thirds of them to train on: training shows half of these in either domain, so
that nobody who learns without pairs sees one anywhere.
"""

from pydantic import PositiveInt

from benchmarks.datasets import digits
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.translation import coloured


def load(*, train: PositiveInt = 1200, validation: PositiveInt = 97, test: PositiveInt = 500, seed: Seed = 0) -> Splits:
    splits = digits.load(train=train, validation=validation, test=test, seed=seed)
    return coloured(splits, seed)
