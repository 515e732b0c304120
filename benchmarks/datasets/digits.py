"""Real handwritten digits, 8x8 in 17 grey levels, as scikit-learn carries them: 1,797 images, no download.

E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
doi:10.24432/C50P49. Each pixel counts the ink in a 4x4 block of a 32x32 bitmap, hence the levels 0 to 16.

They are few, and are shared out by class: one half to train on, a tenth to choose on, and the rest to test on, where
samples and a perfect model's are each set beside a half of it.

Departure: these are the 1,797 of UCI's test file, split anew by class; UCI's split by writer can't be had from them.
"""

import torch
from pydantic import PositiveInt
from sklearn.datasets import load_digits
from torch import Generator, Tensor

from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Split, Splits, chance

CLASSES, LEVELS = 10, 17


def load(*, train: PositiveInt = 900, validation: PositiveInt = 180, test: PositiveInt = 717, seed: Seed = 0) -> Splits:
    """Every part has its share of each class, as nearly as whole images allow."""
    digits = load_digits()
    x = torch.from_numpy(digits.images).to(torch.uint8).unsqueeze(1)  # (1797, 1, 8, 8)
    label = torch.from_numpy(digits.target).long()
    if (asked := train + validation + test) > len(x):
        raise ValueError(f"digits: train + validation + test = {asked}: there are {len(x)} images; ask for fewer")
    order = by_class(label, chance("order", seed))
    parts = order[:train], order[train : train + validation], order[len(order) - test :]
    first, second, third = (Split(x[part], label[part]) for part in parts)
    return Splits(first, second, third, classes=CLASSES, levels=LEVELS)


def by_class(label: Tensor, rng: Generator) -> Tensor:
    """An order by chance in which every stretch holds each class as often as all of it does, give or take one."""
    place = torch.empty(len(label), dtype=torch.float64)
    for each in range(CLASSES):
        own = (label == each).nonzero().squeeze(1)
        place[own[torch.randperm(len(own), generator=rng)]] = (torch.arange(len(own)) + 0.5).double() / len(own)
    return place.argsort(stable=True)
