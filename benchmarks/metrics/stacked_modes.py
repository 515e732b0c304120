"""Modes of stacked images: which combinations of the channels' labels the judge sees among the generated images.

T. Che, Y. Li, A. P. Jacob, Y. Bengio, W. Li, "Mode Regularized Generative Adversarial Networks", 2017,
arXiv:1612.02136, count the modes of digits put together by a trained classifier. A. Srivastava et al., "VEEGAN:
Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017, arXiv:1705.07761, take 1,000 modes, 26,000
samples and the divergence of the histogram from the uniform one, as do Z. Lin et al., "PacGAN: The power of two samples
in generative adversarial networks", 2018, arXiv:1712.04086: a mode is covered by one sample or more. K modes drawn
uniformly and judged without fault have a divergence of about (K - 1) / 2n.
Departure: also the modes with 20 samples or more, which the judge's mistakes do not cover.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.histograms import kl_from_uniform
from benchmarks.metrics.common.occupancy import FIRM
from benchmarks.metrics.judged_modes import histogram

COLUMNS = (
    Column(
        "stacked_modes", "Modes", "higher", 1,
        note="Classes of the judge, for stacked digits the 1,000 combinations of their labels, that it sees in one "
        "generated image or more.",
    ),
    Column(
        f"stacked_modes_{FIRM}", f"Modes, {FIRM}+", "higher", 1, main=False,
        note=f"The same with {FIRM} generated images or more.",
    ),
    Column(
        "stacked_kl", "Reverse KL", "lower", 4,
        note="KL of the judge's classes of generated images from uniform, nats. K modes drawn uniformly score about "
        "(K-1)/2n: 0.0192 for 1,000 at n = 26,000; digits of unequal frequency score higher, MNIST's by 0.004.",
    ),
)  # fmt: skip


def score(*, fake_labels: Tensor | None, classes: int | None) -> dict[str, float | None]:
    if fake_labels is None or not classes:
        return {column.name: None for column in COLUMNS}
    counts = histogram(name="fake_labels", labels=fake_labels, classes=classes)
    return {
        "stacked_modes": float((counts >= 1).sum()),
        f"stacked_modes_{FIRM}": float((counts >= FIRM).sum()),
        "stacked_kl": kl_from_uniform(counts=counts),
    }
