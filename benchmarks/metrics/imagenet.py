"""Distances of ImageNet's features, of a net that needs no download and whose features no benchmark was fitted to.

Kernel distance: M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", 2018, arXiv:1801.01401,
with the cubic kernel, unbiased, over all pairs; of features divided by the root mean square of all held-out ones.
Frechet distance: M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
2017, arXiv:1706.08500. Its bias in 1,280 dimensions hides what a few hundred samples could tell, blur from noise and
both from lost classes, which the kernel distance tells: so it is given for 5,000 samples of each set and more only.
Departure: the net is EfficientNet-Lite0 (benchmarks/imagenet.py) and not Inception, hence the columns' own names.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.frechet import frechet_distance
from benchmarks.metrics.kernel import kernel_distance, scaled

ENOUGH = 5000  # samples of each set, for a Frechet distance

COLUMNS = (
    Column(
        "imagenet_kd", "ImageNet KD", "lower", 4, main=False,
        note="Squared MMD of EfficientNet-Lite0's features, scaled to a root mean square of 1 of the held-out ones; "
        "cubic kernel, unbiased over all pairs; below 0 half the time for fresh data. Not KID.",
    ),
    Column(
        "imagenet_fd", "ImageNet FD", "lower", 2, main=False,
        note="Frechet distance of EfficientNet-Lite0's features of held-out and generated images; ddof = 1; n/a with "
        "fewer than 5,000 of each. Not FID.",
    ),
)  # fmt: skip


def score(*, real_imagenet: Tensor | None, fake_imagenet: Tensor | None) -> dict[str, float | None]:
    if real_imagenet is None or fake_imagenet is None:
        return {column.name: None for column in COLUMNS}
    real, fake = scaled(real=real_imagenet, fake=fake_imagenet)
    enough = min(len(real), len(fake)) >= ENOUGH
    return {
        "imagenet_kd": kernel_distance(real=real, fake=fake),
        "imagenet_fd": frechet_distance(real=real_imagenet, fake=fake_imagenet) if enough else None,
    }
