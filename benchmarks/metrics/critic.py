"""The divergence of held-out data and samples as a model's own critic puts it, to be set beside the exact one.

A critic's objective bounds an f-divergence from below, S. Nowozin, B. Cseke, R. Tomioka, "f-GAN", 2016,
arXiv:1606.00709, Section 2.2, and among critics of slope one at most it is W1, M. Arjovsky, S. Chintala, L. Bottou,
"Wasserstein GAN", 2017, arXiv:1701.07875, Equation 2. How near it comes shows what the critic has learned.
"""

import math

from benchmarks.metrics import Column

BESIDE = {  # the divergence as a model names it: our column, and what to compare it with
    "W1": ("critic_w1", "W1"),
    "scaled W1": ("critic_scaled_w1", "W1, up to a factor: the critic's slope is bounded but not known"),
    "KL": ("critic_kl", "KL (density)"),
    "reverse KL": ("critic_reverse_kl", "Reverse KL (density)"),
    "JS": ("critic_js", "JS (density)"),
}

COLUMNS = tuple(
    Column(
        column, f"Critic's {divergence}", None, 4, main=False,
        note=f"The critic's own estimate of {divergence}, on held-out data; on points to be compared with {exact}.",
    )
    for divergence, (column, exact) in BESIDE.items()
)  # fmt: skip


def score(*, estimate: float | None, estimated: str | None) -> dict[str, float | None]:
    known = estimate is not None and math.isfinite(estimate)
    return {
        column: float(estimate) if known and estimated == divergence else None
        for divergence, (column, _) in BESIDE.items()
    }
