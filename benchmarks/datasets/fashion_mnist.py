"""Fashion-MNIST: ten kinds of clothing in MNIST's format, 60,000 + 10,000 images, 28x28 in 256 grey levels.

H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
2017, arXiv:1708.07747. Of the training images the last 10,000 are set aside for validation.
"""

from pathlib import Path

from torchvision.datasets import FashionMNIST

from benchmarks.datasets.common.files import load_idx
from benchmarks.datasets.common.splits import Splits

CHECKSUMS = {  # MD5 of the unpacked files; torchvision knows those of the archives only
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}

ROOM = 90  # MiB that a download takes: archives and what they hold


def load(*, root: Path) -> Splits:
    return load_idx("fashion_mnist", FashionMNIST, CHECKSUMS, root, ROOM)
