"""MNIST: handwritten digits, 28x28 in 256 grey levels: 50,000 for training, 10,000 for validation, 10,000 for testing.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document Recognition", Proceedings of
the IEEE 86(11), 1998, doi:10.1109/5.726791. Validation has the last 10,000 of
the 60,000 training images, as is usual.
"""

from pathlib import Path

from torchvision.datasets import MNIST

from benchmarks.datasets.common.files import load_idx
from benchmarks.datasets.common.splits import Splits

CHECKSUMS = {  # MD5 of the unpacked files; torchvision knows those of the archives only
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}

ROOM = 70  # MiB that a download takes: archives and what they hold


def load(*, root: Path) -> Splits:
    return load_idx("mnist", MNIST, CHECKSUMS, root, ROOM)
