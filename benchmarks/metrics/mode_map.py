"""Where a translator of points sends the modes of a mixture whose true map is known.

J.-Y. Zhu, T. Park, P. Isola, A. A. Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", 2017, arXiv:1703.10593, Section 3: a cycle is consistent whichever mode becomes which, so a translator may
permute them. The best permutation is the assignment that H. W. Kuhn, "The Hungarian method for the assignment problem",
1955, solves, here by scipy. A point is in a mode if it is nearer to its centre than half the distance of the two
closest centres.
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_labels, check_points
from benchmarks.metrics.common.occupancy import nearest_mode

COLUMNS = (
    Column(
        "modes_right", "Sent to the right mode", "higher", 2, percent=True,
        note="Share of held-out points whose translation is in the mode that is the true translation of their own.",
    ),
    Column(
        "modes_right_permuted", "Right but for order", "higher", 2, percent=True, main=False,
        note="The same under the permutation of modes that makes it largest: far above the former, where whole modes "
        "are sent to wrong ones.",
    ),
)  # fmt: skip


def score(*, fake: Tensor | None, source_labels: Tensor | None, centres: Tensor | None) -> dict[str, float | None]:
    if fake is None or source_labels is None or centres is None or len(centres) < 2:
        return {column.name: None for column in COLUMNS}
    check_points("fake", fake)
    check_labels("source_labels", source_labels, len(centres))
    counts = sent(fake=fake, labels=source_labels, centres=centres)
    best = linear_sum_assignment(counts.numpy(), maximize=True)
    right = {"modes_right": counts.diagonal().sum(), "modes_right_permuted": counts[best].sum()}
    return {name: count.item() / len(fake) for name, count in right.items()}


def sent(*, fake: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """How many points of each mode (row) are sent to each (column), on the CPU: (K, K)"""
    far, mode = nearest_mode(fake, centres)
    inside = far < torch.pdist(centres.double()).min() / 2
    modes = len(centres)
    return (labels * modes + mode)[inside].bincount(minlength=modes**2).view(modes, modes).cpu()
