"""Whether modes are dropped among the data that a model has not seen: recall and coverage on both sides.

The definitions are those of `manifold`. Recall: T. Kynkaanniemi et al., "Improved Precision and Recall Metric for
Assessing Generative Models", 2019, arXiv:1904.06991; coverage: M. F. Naeem et al., "Reliable Fidelity and Diversity
Metrics for Generative Models", 2020, arXiv:2002.09797.
Departure: against training data, and the same less what it is against as many held-out data. A model that has learnt
the distribution has a gap of about 0; one that repeats its training data recalls these and drops what lies between.
Equally many samples of each set, by lot, 4,000 at most.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_sets
from benchmarks.metrics.common.draw import equally_many
from benchmarks.metrics.manifold import LEAST, manifold

SAMPLES = 4000

COLUMNS = (
    Column(
        "recall_train", "Recall, train", None, 3, main=False,
        note="Share of training samples within a generated sample's ball (k = 3, <=); equally many samples of each "
        "set, at most 4,000.",
    ),
    Column(
        "recall_gap", "Recall gap", None, 3, main=False,
        note="Recall of training data less recall of as many held-out data; about 0 for fresh data, above for copies.",
    ),
    Column(
        "coverage_train", "Coverage, train", None, 3, main=False,
        note="Share of training samples with a generated sample in their ball (k = 5, <); the same samples.",
    ),
    Column(
        "coverage_gap", "Coverage gap", None, 3, main=False,
        note="Coverage of training data less coverage of as many held-out data; about 0 for fresh data, above for "
        "copies.",
    ),
)  # fmt: skip


def score(
    *, real_features: Tensor | None, train_features: Tensor | None, fake_features: Tensor | None
) -> dict[str, float | None]:
    if real_features is None or train_features is None or fake_features is None:
        return {column.name: None for column in COLUMNS}
    return {**generalisation(real=real_features, train=train_features, fake=fake_features)}


def generalisation(*, real: Tensor, train: Tensor, fake: Tensor) -> dict[str, float]:
    """All four of (N, D) held-out, (M, D) training and (n, D) generated features."""
    check_sets({"real": real, "train": train, "fake": fake}, least=LEAST)
    real, train, fake = equally_many(real, train, fake, most=SAMPLES)
    seen, unseen = manifold(real=train, fake=fake), manifold(real=real, fake=fake)
    return {
        "recall_train": seen.recall,
        "recall_gap": seen.recall - unseen.recall,
        "coverage_train": seen.coverage,
        "coverage_gap": seen.coverage - unseen.coverage,
    }
