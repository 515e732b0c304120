"""Negative log-likelihood of held-out data, in nats, and in bits per dimension where the data are discrete.

L. Theis, A. van den Oord, M. Bethge, "A note on the evaluation of generative models", 2016, arXiv:1511.01844, Section
3.1: a likelihood of discrete pixels is comparable; one of continuous data has the units of a density, and no bits/dim.
Whether a model states its likelihood exactly or as a lower bound, and by which estimator, is said below the table.
"""

import math

from torch import Tensor

from benchmarks.metrics import Column

COLUMNS = (
    Column(
        "nats", "NLL (nats)", "lower", 2,
        note="Mean negative log-likelihood of held-out data, of discrete grey levels for images and of the density "
        "for points; n/a where infinite (a held-out sample is impossible).",
    ),
    Column(
        "bits_per_dim", "Bits/dim", "lower", 3, main=False,
        note="The same over dimensions and log 2; n/a for points, whose density is in no such unit.",
    ),
)  # fmt: skip


def score(*, log_prob: Tensor | None, dims: int | None, levels: int | None) -> dict[str, float | None]:
    if log_prob is None:
        return {"nats": None, "bits_per_dim": None}
    nats = negative_log_likelihood(log_prob=log_prob)
    if nats is None or not levels or not dims:
        return {"nats": nats, "bits_per_dim": None}
    return {"nats": nats, "bits_per_dim": nats / (dims * math.log(2))}


def negative_log_likelihood(*, log_prob: Tensor) -> float | None:
    """Mean of -log_prob in float64; None where it is infinite."""
    if log_prob.ndim != 1 or len(log_prob) == 0:
        raise ValueError(f"log_prob has the shape {tuple(log_prob.shape)}: give (N,), one for each held-out sample")
    broken = (log_prob.isnan() | log_prob.isposinf()).sum().item()
    if broken:
        raise ValueError(f"log_prob is NaN or +inf for {broken} of {len(log_prob)} held-out samples")
    mean = log_prob.double().mean().item()
    return -mean if math.isfinite(mean) else None
