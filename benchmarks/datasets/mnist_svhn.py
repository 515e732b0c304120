"""MNIST's digits, to be translated to house numbers in colour: 32x32 in 256 levels a channel, no true partners.

Y. LeCun et al., 1998, and Y. Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning",
2011. The pair is that of Y. Taigman, A. Polyak, L. Wolf, "Unsupervised Cross-Domain Image Generation", 2016,
arXiv:1611.02200, who go the other way. Of SVHN's 73,257 training images the last 10,000 are set aside for validation;
the 531,131 easier ones are left out. In validation and test a datum and its partner are of one class, so that the label
of both is known.

Departure: MNIST's images get a black margin of 2 pixels, and three equal channels.
"""

from pathlib import Path

import torch
from torch.nn.functional import pad
from torchvision.datasets import SVHN

from benchmarks.datasets import mnist
from benchmarks.datasets.common.files import ensure
from benchmarks.datasets.common.splits import Split, Splits, aside
from benchmarks.datasets.common.translation import alike

PAIRED = False
FOLDER, MARGIN = "SVHN", 2
PARTS = ("train", "test")
VALIDATION = 10_000  # of the training images, the last ones
ROOM = 250  # MiB that a download takes


def load(*, root: Path) -> Splits:
    files = {f"{FOLDER}/{file}": md5 for _, file, md5 in map(SVHN.split_list.__getitem__, PARTS)}
    ensure("mnist_svhn", fetch, files, {}, root, ROOM)
    first, test = (split(SVHN(root / FOLDER, split=part)) for part in PARTS)
    train, validation = aside(first, VALIDATION)
    others = [part._replace(x=pad(part.x, [MARGIN] * 4).repeat(1, 3, 1, 1)) for part in mnist.load(root=root).parts]
    train = train._replace(partner=others[0].x)
    return Splits(train, alike(validation, others[1]), alike(test, others[2]), classes=10, levels=256)


def fetch(root: Path, download: bool) -> None:
    for part in PARTS:
        SVHN(root / FOLDER, split=part, download=download)


def split(dataset: SVHN) -> Split:
    return Split(torch.from_numpy(dataset.data).contiguous(), torch.from_numpy(dataset.labels))
