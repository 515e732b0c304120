"""Negative log-likelihood of test and of training data, in nats, and in bits per dimension where they are discrete.

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
        note="Mean negative log-likelihood of test data, of discrete grey levels for images and of the density "
        "for points; n/a where infinite (a datum is impossible).",
    ),
    Column(
        "bits_per_dim", "Bits/dim", "lower", 3, main=False,
        note="The same over dimensions, of clips those of the frames that are not given, and log 2; n/a for points, "
        "whose density is in no such unit.",
    ),
    Column(
        "nats_train", "NLL, train", None, 2, main=False,
        note="The same of training data, as many as of test data, at most 2,000; of images by an ODE with one random "
        "probe a divergence.",
    ),
    Column(
        "nats_gap", "NLL gap", None, 2, main=False,
        note="NLL of test data less that of training data: about 0 for a model that has learnt the distribution, above "
        "where it has learnt the data.",
    ),
)  # fmt: skip


def score(
    *, log_prob: Tensor | None, train_log_prob: Tensor | None, dims: int | None, levels: int | None
) -> dict[str, float | None]:
    nats, trained = (
        None if each is None else negative_log_likelihood(log_prob=each) for each in (log_prob, train_log_prob)
    )
    return {
        "nats": nats,
        "bits_per_dim": None if nats is None or not levels or not dims else nats / (dims * math.log(2)),
        "nats_train": trained,
        "nats_gap": None if nats is None or trained is None else nats - trained,
    }


def negative_log_likelihood(*, log_prob: Tensor) -> float | None:
    """Mean of -log_prob in float64; None where it is infinite."""
    if log_prob.ndim != 1 or len(log_prob) == 0:
        raise ValueError(f"log_prob has the shape {tuple(log_prob.shape)}: give (N,), one for each datum")
    broken = (log_prob.isnan() | log_prob.isposinf()).sum().item()
    if broken:
        raise ValueError(f"log_prob is NaN or +inf for {broken} of {len(log_prob)} data")
    mean = log_prob.double().mean().item()
    return -mean if math.isfinite(mean) else None
