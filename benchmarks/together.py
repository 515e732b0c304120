"""Frechet distance, kernel distance, precision, recall, density and coverage of the same two sets, at once.

The pairs of samples are gone through once, for the kernel and for the nearest neighbours alike; their products are most
of the work. The values are those of benchmarks.metrics.frechet, kernel and manifold.
"""

from torch import Tensor

from benchmarks.metrics.frechet import frechet_distance
from benchmarks.metrics.kernel import KernelSums
from benchmarks.metrics.manifold import Sight, manifold


def together(*, real: Tensor, fake: Tensor) -> dict[str, float]:
    """All six of (N, D) real and (n, D) generated features."""
    sums = KernelSums(real)
    shares = manifold(real=real, fake=fake, see=Sight(sums.real.add, sums.fake.add, sums.between.add))
    distances = {"frechet": frechet_distance(real=real, fake=fake), "kernel": sums.distance()}
    return distances | shares._asdict()
