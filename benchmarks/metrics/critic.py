"""The divergence of held-out data and samples as a model's own critic puts it, to be set beside the exact one.

A critic's objective bounds an f-divergence from below, S. Nowozin, B. Cseke, R. Tomioka, "f-GAN", 2016,
arXiv:1606.00709, Section 2.2, and among critics of slope one at most it is W1, M. Arjovsky, S. Chintala, L. Bottou,
"Wasserstein GAN", 2017, arXiv:1701.07875, Equation 2. How near it comes shows what the critic has learned.
"""

import math

from benchmarks.metrics import Column

COLUMNS = tuple(
    Column(
        column, f"Critic's {divergence}", None, decimals, main=False,
        note=f"The critic's own estimate of {divergence}, on held-out data; on points to be compared with {exact}.",
    )
    for column, divergence, decimals, exact in (
        ("critic_w1", "W1", 4, "W1"),
        ("critic_scaled_w1", "scaled W1", 6, "W1, up to a factor: the critic's slope is bounded but not known"),
        ("critic_kl", "KL", 4, "KL (density)"),
        ("critic_reverse_kl", "reverse KL", 4, "Reverse KL (density)"),
        ("critic_js", "JS", 4, "JS (density)"),
    )
)  # fmt: skip

OF = {  # the divergence as a model names it: our column, and what to make of the estimate
    "W1": ("critic_w1", lambda value: value),
    "scaled W1": ("critic_scaled_w1", lambda value: value),
    "KL": ("critic_kl", lambda value: value),
    "reverse KL": ("critic_reverse_kl", lambda value: value),
    "JS": ("critic_js", lambda value: value),
    "2 JS": ("critic_js", lambda value: value / 2),
    "2 JS - log 4": ("critic_js", lambda value: value / 2 + math.log(2)),
}


def score(*, estimate: float | None, estimated: str | None) -> dict[str, float | None]:
    found = dict.fromkeys(column.name for column in COLUMNS)
    if estimate is not None and math.isfinite(estimate) and estimated in OF:
        column, made = OF[estimated]
        found[column] = float(made(estimate))
    return found
