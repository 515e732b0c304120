"""There and back again: what two translators make of data together, and what the one that leads back makes of them.

Cycle error: J.-Y. Zhu, T. Park, P. Isola, A. A. Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks", 2017, arXiv:1703.10593, Equation 2. C. Chu, A. Zhmoginov, M. Sandler, "CycleGAN, a Master of
Steganography", 2017, arXiv:1712.02950: a small cycle error may come from what a translation carries unseen, which
little noise on it destroys. So the error is measured again with noise on the translation of one grey level, or for
points of a hundredth of their spread. Frechet distances as in `benchmarks.metrics.frechet`.
Departure: the way back has no judge, the labels of the domain it leads to being no one's to learn from; its Frechet
distance is of the numbers themselves, pixels or coordinates.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.units import absolute_error
from benchmarks.metrics.frechet import frechet_distance

COLUMNS = (
    Column(
        "cycle_mae", "Cycle error", "lower", 4,
        note="Mean absolute error of held-out data that were translated there and back, of images on [0, 1]; n/a for "
        "models that know no way back.",
    ),
    Column(
        "cycle_noise_mae", "Cycle error, noise", "lower", 4, main=False,
        note="The same with normal noise on what they were translated to: of one grey level, of points of a hundredth "
        "of their spread. Far above the former where translations carry unseen what their reader reads.",
    ),
    Column(
        "fd_back", "FD back", "lower", 3, main=False,
        note="Frechet distance of held-out data translated back and held-out data of that domain, the features being "
        "the numbers themselves: pixels in [-1, 1], or coordinates; ddof = 1.",
    ),
)  # fmt: skip


def score(
    *,
    source: Tensor | None,
    returned: Tensor | None,
    returned_after_noise: Tensor | None,
    back: Tensor | None,
    partner: Tensor | None,
) -> dict[str, float | None]:
    values: dict[str, float | None] = {column.name: None for column in COLUMNS}
    if source is not None and returned is not None:
        values["cycle_mae"] = absolute_error(returned, source)
    if source is not None and returned_after_noise is not None:
        values["cycle_noise_mae"] = absolute_error(returned_after_noise, source)
    if back is not None and partner is not None:
        values["fd_back"] = frechet_distance(real=partner.flatten(1), fake=back.flatten(1))
    return values
