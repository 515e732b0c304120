"""Stacked MNIST: three random digits as the channels of one image, 3x28x28 in 256 grey levels; 1,000 modes.

L. Metz, B. Poole, D. Pfau, J. Sohl-Dickstein, "Unrolled Generative Adversarial Networks", 2017, arXiv:1611.02163;
the digits are those of `mnist`.

Departure: a fixed set drawn from all 70,000 digits, as in Z. Lin et al., "PacGAN: The power of two samples in
generative adversarial networks", 2018, arXiv:1712.04086; of 50,000 images where `train` does not ask for their 128,000.
All parts draw from the same digits: a model, and the judge, may know each digit of a test stack, but hardly the stack.
"""

from pathlib import Path

from pydantic import PositiveInt

from benchmarks.datasets import mnist
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.stacking import stacked


def load(
    *,
    root: Path,
    train: PositiveInt = 50_000,
    validation: PositiveInt = 5_000,
    test: PositiveInt = 52_000,
    seed: Seed = 0,
) -> Splits:
    return stacked(mnist.load(root=root), (train, validation, test), seed)
