"""Inception score: how sure a classifier is of each generated image, and how evenly it sees all classes.

T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen, "Improved Techniques for Training GANs", 2016,
arXiv:1606.03498, Section 4: exp of the mean KL(p(y|x) || p(y)), natural logarithm, 1 to the number of classes.
The column's name says whose classes they are: `inception_score` is of Inception's 1,008, `judge_is` of the judge's.
Departure: 0 log 0 = 0, so that a class that never occurs counts nothing and not NaN; one split, all samples at once, in
place of the mean of ten.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column

COLUMNS = (
    Column(
        "judge_is", "Judge's IS", "higher", 3, main=False,
        note="Inception score with the judge's classes: exp of the mean KL of an image's classes from all images'; one "
        "split.",
    ),
    Column(
        "inception_score", "IS", "higher", 3, main=False,
        note="Inception score with Inception's classes: exp of the mean KL of an image's classes from all images'; one "
        "split.",
    ),
)  # fmt: skip


def score(*, fake_probabilities: Tensor | None, fake_inception_probabilities: Tensor | None) -> dict[str, float | None]:
    seen = {"judge_is": fake_probabilities, "inception_score": fake_inception_probabilities}
    return {name: None if p is None else inception_score(probabilities=p) for name, p in seen.items()}


def inception_score(*, probabilities: Tensor) -> float:
    """exp of the mean over samples of KL(p(y|x) || p(y)) of (n, K) class probabilities."""
    if probabilities.ndim != 2 or len(probabilities) == 0:
        raise ValueError(f"probabilities have the shape {tuple(probabilities.shape)}: give (samples, classes)")
    p = probabilities.double()
    broken = (~((p >= 0).all(dim=1) & ((p.sum(dim=1) - 1).abs() < 1e-3))).sum().item()  # a NaN is neither
    if broken:
        raise ValueError(f"probabilities are negative, NaN or do not sum to 1 in {broken} of {len(p)} samples")
    p = p / p.sum(dim=1, keepdim=True)
    each = torch.xlogy(p, p).sum(dim=1).mean()
    q = p.mean(dim=0)
    return (each - torch.xlogy(q, q).sum()).exp().item()  # the mean KL is the entropy of all less the mean of each
