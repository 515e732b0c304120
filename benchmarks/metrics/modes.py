"""Modes covered, share of high-quality samples and reverse KL of a known mixture of Gaussians.

A sample is of high quality if it lies less than 3 sigma (L2) from the nearest centre; a mode is covered if one such
sample is nearest to it: A. Srivastava et al., "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational
Learning", 2017, arXiv:1705.07761. Reverse KL, of the high-quality samples' histogram over the modes from the uniform
one: Z. Lin et al., "PacGAN: The power of two samples in generative adversarial networks", 2018, arXiv:1712.04086; 2,500
samples as there. Samples of the truth itself score 1 - exp(-9/2) = 98.89 % high quality in two dimensions, and a
reverse KL of about (K - 1) / 2n for K modes and n samples.
Departure: where modes have unequal shares, these stand in the uniform ones' place; the same on all samples given; modes
with 20 samples or more, which a few strays do not cover; and the Jensen-Shannon divergence of the same histograms,
which is bounded and blames a missing mode less. A histogram without any sample has no shares: it gets the bound of
either, log K and log 2, so that the worst models are not left out.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.histograms import js_from, kl_from, uniform
from benchmarks.metrics.common.occupancy import FIRM, RADIUS, occupancy

FIRST = 2500  # samples that the literature counts


def _columns(suffix: str, which: str, n: str, main: bool) -> tuple[Column, ...]:
    quality = f"less than {RADIUS} sigma (L2) from its centre"
    floor = "(K-1)/2n for K modes and n samples"
    return (
        Column(
            f"modes{suffix}", f"Modes{which}", "higher", 1, main=main,
            note=f"Modes with a sample {quality}, among {n}.",
        ),
        Column(
            f"modes_{FIRM}{suffix}", f"Modes, {FIRM}+{which}", "higher", 1, main=False,
            note=f"Modes with {FIRM} samples or more {quality}, among {n}.",
        ),
        Column(
            f"high_quality{suffix}", f"High quality{which}", "higher", 2, percent=True, main=main,
            note=f"Share of {n} that lie {quality}; samples of the truth score 98.89 % in two dimensions.",
        ),
        Column(
            f"reverse_kl{suffix}", f"Reverse KL{which}", "lower", 4, main=main,
            note=f"KL of the high-quality samples over the modes from equal (or the true) shares, nats, among {n}; "
            f"samples of the truth score about {floor}. Its bound log K where no sample is of high quality.",
        ),
        Column(
            f"modes_js{suffix}", f"JS of modes{which}", "lower", 4, main=False,
            note=f"Jensen-Shannon divergence of the same histogram and the uniform one, nats, among {n}; at most "
            "log 2 = 0.6931, as where no sample is of high quality; about (K-1)/8n for samples of the truth.",
        ),
    )  # fmt: skip


COLUMNS = (
    *_columns("", "", "the first 2,500 generated points (all, where fewer)", True),
    *_columns("_all", ", all n", "all generated points", False),
)


def score(
    *, fake: Tensor | None, centres: Tensor | None, sigma: float | None, weights: Tensor | None
) -> dict[str, float | None]:
    if fake is None or centres is None or sigma is None:
        return {column.name: None for column in COLUMNS}
    values: dict[str, float | None] = {}
    for suffix, points in (("", fake[:FIRST]), ("_all", fake)):
        counts = occupancy(fake=points, centres=centres, sigma=sigma)
        shares = uniform(counts) if weights is None else weights
        values |= {
            f"modes{suffix}": float((counts >= 1).sum()),
            f"modes_{FIRM}{suffix}": float((counts >= FIRM).sum()),
            f"high_quality{suffix}": counts.sum().item() / len(points),
            f"reverse_kl{suffix}": kl_from(counts=counts, shares=shares),
            f"modes_js{suffix}": js_from(counts=counts, shares=shares),
        }
    return values
