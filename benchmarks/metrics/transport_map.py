"""A map between distributions of points, beside the true one.

L2-UVP, the unexplained variance, as A. Korotin et al. define it for the optimal map, "Do Neural Optimal Transport
Solvers Work? A Continuous Wasserstein-2 Benchmark", 2021, arXiv:2106.01954, Section 4.2: 100 E|T(x) - T*(x)|^2 over the
variance of the target, which is the sum of those of its dimensions; T* is the true map, the optimal one where that is
how the two domains are related. Whether T's image is the target is another matter, which no pairs are needed for: W2 of
the two, exact between histograms as in `benchmarks.metrics.transport`.
Departure: cells begin at a twentieth of the target's root mean square spread, and are made wider for sets that are
scattered over more than 1,000.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.transport import by_cells

FINE, MOST = 20, 1000  # cells along the spread of the target, and of each set

COLUMNS = (
    Column(
        "l2_uvp", "L2-UVP", "lower", 3, percent=True,
        note="Mean squared distance of translated points from the true translations over the variance of these, in "
        "per cent: 0 for the true map, 100 for one that sends all to the mean. n/a for data without pairs.",
    ),
    Column(
        "map_w2", "W2 of the image", "lower", 3,
        note="Wasserstein-2 distance between translated and held-out points, in units of the data, those of a cell "
        f"taken together at their mean; side 1/{FINE} of the spread, or wider where points are scattered over more "
        "than 1,000 cells. Above 0 for samples of the truth too.",
    ),
)  # fmt: skip


def score(*, real: Tensor | None, fake: Tensor | None, target: Tensor | None) -> dict[str, float | None]:
    if real is None or fake is None or real.ndim != 2:
        return {column.name: None for column in COLUMNS}
    check_pair(real=real, fake=fake, least=2)
    spread = real.double().var(0).sum().sqrt().item()
    return {
        "l2_uvp": None if target is None else unexplained(fake=fake, target=target),
        "map_w2": by_cells(real=real, fake=fake, side=spread / FINE, most=MOST)[1] if spread > 0 else None,
    }


def unexplained(*, fake: Tensor, target: Tensor) -> float:
    """E|T(x) - T*(x)|^2 / Var(T*(x)) of n points (n, D) each."""
    check_pair(real=target, fake=fake, least=2)
    target = target.double()
    error = (fake.double() - target).square().sum(1).mean()
    return (error / target.var(0, correction=0).sum()).item()
