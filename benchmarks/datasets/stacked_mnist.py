"""Stacked MNIST: three random digits as the channels of one image, 3x28x28 in 256 grey levels; 1,000 modes.

L. Metz, B. Poole, D. Pfau, J. Sohl-Dickstein, "Unrolled Generative Adversarial Networks", 2017, arXiv:1611.02163;
the digits are those of `mnist`.

Departure: a fixed set, as in Z. Lin et al., "PacGAN: The power of two samples in generative adversarial networks",
2018, arXiv:1712.04086, but of 50,000 images and not 128,000, and from MNIST's training split only, where PacGAN draws
from all 70,000 digits: the held-out stacks share no digit with the training stacks.
"""

from pathlib import Path

from pydantic import PositiveInt

from benchmarks.datasets import mnist
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Splits
from benchmarks.datasets.common.stacking import stacked


def load(*, root: Path, images: PositiveInt = 50_000, held_out: PositiveInt = 10_000, seed: Seed = 0) -> Splits:
    return stacked(mnist.load(root=root), images, held_out, seed)
