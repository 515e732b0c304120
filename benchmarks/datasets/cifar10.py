"""CIFAR-10: ten classes of small colour photographs, 50,000 + 10,000 images, 32x32 in 256 levels a channel.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, University of Toronto, 2009,
Chapter 3. Of the training images the last 5,000 are set aside for validation.
"""

from pathlib import Path

import torch
from torchvision.datasets import CIFAR10

from benchmarks.datasets.common.files import ensure
from benchmarks.datasets.common.splits import Split, Splits, aside

VALIDATION = 5_000  # of the training images, the last ones
ROOM = 360  # MiB that a download takes: the archive and what it holds


def load(*, root: Path) -> Splits:
    batches = [*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])]
    files = {f"{CIFAR10.base_folder}/{file}": md5 for file, md5 in batches}
    ensure("cifar10", CIFAR10, files, {CIFAR10.filename: CIFAR10.tgz_md5}, root, ROOM)
    train, validation = aside(split(CIFAR10(root, train=True)), VALIDATION)
    return Splits(train, validation, split(CIFAR10(root, train=False)), classes=10, levels=256)


def split(dataset: CIFAR10) -> Split:
    images = torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous()  # (N, 32, 32, 3) -> (N, 3, 32, 32)
    return Split(images, torch.tensor(dataset.targets))
