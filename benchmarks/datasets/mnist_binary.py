"""MNIST with fixed binarisation: every pixel black or white, drawn once with its grey as the probability of white.

R. Salakhutdinov, I. Murray, "On the Quantitative Analysis of Deep Belief Networks", ICML 2008,
doi:10.1145/1390156.1390266; the digits are those of `mnist`.

Departure: a draw of our own, from ``seed``, where the literature shares one file; and the 60,000 training images stay
together, of which that file sets 10,000 aside for validation.
"""

from pathlib import Path

import torch
from torch import Generator

from benchmarks.datasets import mnist
from benchmarks.datasets.common.splits import Seed, Split, Splits


def load(*, root: Path, seed: Seed = 0) -> Splits:
    grey = mnist.load(root=root)
    rng = torch.Generator().manual_seed(seed)
    test = binarised(grey.test, rng)
    return grey._replace(train=binarised(grey.train, rng), test=test, levels=2)


def binarised(split: Split, rng: Generator) -> Split:
    white = torch.rand(split.x.shape, generator=rng) < split.x / 255  # (N, 1, H, W)
    return split._replace(x=white.to(torch.uint8))
