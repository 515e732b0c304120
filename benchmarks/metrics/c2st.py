"""Classifier two-sample test: how often a classifier tells generated from held-out samples that it has not seen.

D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", 2017, arXiv:1610.06545, Section 3: the held-out
accuracy, 1/2 on average if the two distributions are one.
Departure: the classifiers are scikit-learn's, 5 nearest neighbours as there, which see shapes, and in place of a net
logistic regression, which sees small shifts in many dimensions. Every sample is scored: each classifier is trained on
one half of both sets and scores the other, so no sample is scored by one that has seen it. Features are standardised by
the half that trains. As many of either set, at most 4,000, by lot. Copies of held-out samples score below 1/2 by
neighbours, since a copy and its original are on different sides.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import draw

SAMPLES = 4000
LEAST = 20  # of either set: halves with two samples for each of five neighbours
CLASSIFIERS = {
    "c2st_knn": lambda: KNeighborsClassifier(5),
    "c2st_linear": lambda: LogisticRegression(max_iter=200),
}

COLUMNS = tuple(
    Column(
        name, label, "lower", 3, main=False,
        note=f"Share of samples, held-out and generated, that {how} trained on the other half of both sets puts on the "
        "right side; 0.5 if they cannot be told apart, give or take 0.5/sqrt(2n); features standardised, n at most "
        f"{SAMPLES:,} of each.",
    )
    for name, label, how in (
        ("c2st_knn", "C2ST, neighbours", "a vote of 5 nearest neighbours"),
        ("c2st_linear", "C2ST, linear", "a logistic regression"),
    )
)  # fmt: skip


def score(*, real_features: Tensor | None, fake_features: Tensor | None) -> dict[str, float | None]:
    if real_features is None or fake_features is None:
        return {column.name: None for column in COLUMNS}
    return {name: accuracy(name, real=real_features, fake=fake_features) for name in CLASSIFIERS}


def accuracy(name: str, *, real: Tensor, fake: Tensor) -> float:
    """Cross-fitted accuracy of one of `CLASSIFIERS` between (N, D) real and (n, D) generated samples."""
    check_pair(real=real, fake=fake, least=LEAST)
    n = min(len(real), len(fake), SAMPLES)
    x = np.concatenate([x[draw(x, n)].double().cpu().numpy() for x in (real, fake)])  # (2n, D)
    machine = make_pipeline(StandardScaler(), CLASSIFIERS[name]())
    halves = StratifiedKFold(2, shuffle=True, random_state=0)
    scores = cross_val_score(machine, x, np.repeat([0, 1], n), cv=halves)
    return float(np.average(scores, weights=[(n + 1) // 2, n // 2]))
