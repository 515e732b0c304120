"""MNIST with fixed binarisation: every pixel black or white, drawn once with its grey as the probability of white.

R. Salakhutdinov, I. Murray, "On the Quantitative Analysis of Deep Belief Networks", ICML 2008,
doi:10.1145/1390156.1390266; the digits are those of `mnist`. With ``draws`` the training split holds every digit as
often, each time drawn anew: a stock of the dynamic binarisation of Burda, Grosse, Salakhutdinov, "Importance Weighted
Autoencoders", 2015, arXiv:1509.00519, where every pass draws anew; held-out digits are drawn once.

Departure: a draw of our own, from ``seed``, where the literature shares one file.
"""

from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator

from benchmarks.datasets import mnist
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import PARTS, Split, Splits, chance


def load(*, root: Path, draws: Annotated[int, Field(ge=1)] = 1, seed: Seed = 0) -> Splits:
    grey = mnist.load(root=root)
    train, validation, test = (
        binarised(getattr(grey, part), draws if part == "train" else 1, chance(part, seed)) for part in PARTS
    )
    return Splits(train, validation, test, classes=grey.classes, levels=2)


def binarised(split: Split, draws: int, rng: Generator) -> Split:
    white = [torch.rand(split.x.shape, generator=rng) < split.x / 255 for _ in range(draws)]  # of (N, 1, H, W) each
    return Split(torch.cat(white).to(torch.uint8), split.labels.repeat(draws))
