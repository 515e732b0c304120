"""MNIST's digits, to be translated to those of the US Postal Service: 16x16 in 256 grey levels, no true partners.

Y. LeCun et al., 1998, and J. J. Hull, "A Database for Handwritten Text Recognition Research", IEEE PAMI 16(5), 1994.
The pair is that of M.-Y. Liu, T. Breuel, J. Kautz, "Unsupervised Image-to-Image Translation Networks", 2017,
arXiv:1703.00848, Section 5.3. Of USPS's 7,291 training images the last 700 are set aside for validation. In validation
and test a datum and its partner are of one class, so that the label of both is known.

Departure: MNIST's images are made as small as USPS's, each pixel a weighted mean.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.datasets import USPS

from benchmarks.datasets import mnist
from benchmarks.datasets.common.files import ensure
from benchmarks.datasets.common.splits import Split, Splits, aside
from benchmarks.datasets.common.translation import alike

PAIRED = False
FOLDER, SIDE = "USPS", 16
VALIDATION = 700  # of the training images, the last ones
ROOM = 10  # MiB that a download takes


def load(*, root: Path) -> Splits:
    files = {f"{FOLDER}/{file}": md5 for _, file, md5 in USPS.split_list.values()}
    ensure("mnist_usps", fetch, files, {}, root, ROOM)
    train, validation = aside(split(USPS(root / FOLDER, train=True)), VALIDATION)
    test = split(USPS(root / FOLDER, train=False))
    others = [part._replace(x=smaller(part.x)) for part in mnist.load(root=root).parts]
    train = train._replace(partner=others[0].x)
    return Splits(train, alike(validation, others[1]), alike(test, others[2]), classes=10, levels=256)


def fetch(root: Path, download: bool) -> None:
    for train in (True, False):
        USPS(root / FOLDER, train=train, download=download)


def split(dataset: USPS) -> Split:
    return Split(torch.from_numpy(dataset.data).unsqueeze(1), torch.tensor(dataset.targets))


def smaller(x: Tensor) -> Tensor:
    """(N, 1, 28, 28) -> (N, 1, 16, 16) uint8"""
    size = (SIDE, SIDE)
    parts = [interpolate(part.float(), size, mode="bilinear", antialias=True) for part in x.split(10_000)]
    return torch.cat([part.round_().to(torch.uint8) for part in parts])
