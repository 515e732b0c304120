"""What codes are good for: finding data of the same class, and telling the class by a straight line.

Precision at 10: of a held-out datum's 10 nearest training data by code (Euclidean), the share with its label; codes as
an index for retrieval: A. Krizhevsky, G. E. Hinton, "Using very deep autoencoders for content-based image retrieval",
ESANN 2011. Linear probe: G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier probes", 2016,
arXiv:1610.01644: a logistic regression on codes of training data, standardised by these, scored on held-out ones.
Departure: real-valued codes instead of binary ones; the regression is scikit-learn's with its L2 penalty (C = 1).
"""

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_sets
from benchmarks.metrics.common.undefined import Undefined

NEAREST = 10
AT_ONCE = 500  # queries, whose distances to all training data are in memory together

BY = {"code": "by code (of the oracle: by the judge's features)", "pixel": "by pixels, a baseline that is no model's"}
COLUMNS = tuple(
    column
    for by, words in BY.items()
    for column in (
        Column(
            f"{by}_precision", f"P@{NEAREST} by {by}", "higher", 2, percent=True, main=False,
            note=f"Of a held-out datum's {NEAREST} nearest training data {words}, the share with its label; 10,000 of "
            "either at most.",
        ),
        Column(
            f"{by}_probe", f"Linear probe by {by}", "higher", 2, percent=True, main=False,
            note=f"Accuracy on held-out data of a logistic regression on training data {words}.",
        ),
    )
)  # fmt: skip


def score(
    *,
    train_codes: Tensor | None,
    test_codes: Tensor | None,
    train_pixels: Tensor | None,
    test_pixels: Tensor | None,
    train_labels: Tensor | None,
    test_labels: Tensor | None,
) -> dict[str, float | None]:
    values: dict[str, float | None] = dict.fromkeys(column.name for column in COLUMNS)
    if train_labels is None or test_labels is None:
        return values
    sets = {"code": (train_codes, test_codes), "pixel": (train_pixels, test_pixels)}
    for by, (known, asked) in sets.items():
        if known is not None and asked is not None:
            check_sets({"train": known, "test": asked}, least=NEAREST)
            values[f"{by}_precision"] = precision(known, train_labels[: len(known)], asked, test_labels)
            values[f"{by}_probe"] = probe(known, train_labels[: len(known)], asked, test_labels)
    return values


def nearest(known: Tensor, asked: Tensor, count: int = NEAREST) -> Tensor:
    """Where the nearest of known (N, D) stand for each of asked (n, D), the nearest first: (n, count)"""
    known, parts = known.double(), asked.double().split(AT_ONCE)
    # By differences: products lose the digits of neighbours that lie far from the origin.
    far = (torch.cdist(part, known, compute_mode="donot_use_mm_for_euclid_dist") for part in parts)
    return torch.cat([each.topk(count, largest=False).indices for each in far])


def precision(known: Tensor, labels: Tensor, asked: Tensor, wanted: Tensor) -> float:
    """Share of the right label (n,) among those, of labels (N,), that each query finds."""
    return float((labels[nearest(known, asked)] == wanted[: len(asked), None]).double().mean())


def probe(known: Tensor, labels: Tensor, asked: Tensor, wanted: Tensor) -> float:
    if len(labels.unique()) < 2:
        raise Undefined("training data of one class alone teach no probe: give two classes or more")
    machine = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    machine.fit(known.double().cpu().numpy(), labels.cpu().numpy())
    return float(machine.score(asked.double().cpu().numpy(), wanted[: len(asked)].cpu().numpy()))
