"""Whether a translator that may choose does choose: on data whose partners have more than one true translation.

J.-Y. Zhu et al., "Toward Multimodal Image-to-Image Translation", 2017, arXiv:1711.11586, Section 5.2, score the mean
distance between translations of one image. P. Isola et al., "Image-to-Image Translation with Conditional Adversarial
Networks", 2016, arXiv:1611.07004, Section 4.2: who minds every error chooses the middle of all colours, which is grey.
Departure: the distance is the root mean square one of pixels, and not that of a net's features; it is stated as a share
of what two true translations of one datum are apart. Saturation is the largest channel of a pixel less its smallest.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.units import root_mean_square

COLUMNS = (
    Column(
        "diversity_share", "Diversity", None, 1, percent=True,
        note="Root mean squared difference of two translations of one datum over that of two true ones: 100 % for the "
        "true law, 0 where all are one. n/a for data with one true translation each.",
    ),
    Column(
        "saturation", "Saturation", None, 1, percent=True,
        note="Largest less smallest channel, mean over the pixels of translations, over that of the true ones: "
        "below 100 % colours are mixed to grey. n/a for data with one true translation each, or one channel.",
    ),
)  # fmt: skip


def score(*, draws: Tensor | None, truths: Tensor | None) -> dict[str, float | None]:
    if draws is None or truths is None:
        return {column.name: None for column in COLUMNS}
    if draws.shape[1:] != truths.shape[1:] or len(draws) < 2:
        raise ValueError(f"draws and truths are {tuple(draws.shape)} and {tuple(truths.shape)}: give the same data")
    return {"diversity_share": ratio(apart(draws), apart(truths)), "saturation": saturation(draws, truths)}


def apart(x: Tensor) -> Tensor:
    """Root mean squared difference of two of k draws (k, m, *shape): the root of twice their variance."""
    return root_mean_square(2**0.5 * x.double().std(0))


def saturation(draws: Tensor, truths: Tensor) -> float | None:
    if draws.ndim != 5 or draws.shape[2] < 2:
        return None
    ours, theirs = ((x.double().amax(2) - x.double().amin(2)).mean() for x in (draws, truths))
    return ratio(ours, theirs)


def ratio(ours: Tensor, theirs: Tensor) -> float | None:
    return (ours / theirs).item() if theirs > 0 else None
