"""Real handwritten digits, 8x8 in 17 grey levels, as scikit-learn carries them: 1,797 images, no download.

E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
doi:10.24432/C50P49. Each pixel counts the ink in a 4x4 block of a 32x32 bitmap, hence the levels 0 to 16.

Departure: these are the 1,797 of UCI's test file, split anew by class; UCI's split by writer can't be had from them.
"""

from typing import Annotated

import torch
from pydantic import Field
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Split, Splits

LEVELS = 17


def load(*, held_out: Annotated[float, Field(gt=0, lt=1)] = 1 / 3, seed: Seed = 0) -> Splits:
    """``held_out`` is the share of every class that goes to the test split."""
    digits = load_digits()
    x = torch.from_numpy(digits.images).to(torch.uint8).unsqueeze(1)  # (1797, 1, 8, 8)
    label = torch.from_numpy(digits.target).long()
    train, test = train_test_split(range(len(x)), test_size=held_out, stratify=label, random_state=seed)
    return Splits(Split(x[train], label[train]), Split(x[test], label[test]), classes=10, levels=LEVELS)
