"""Whether a conditional model draws the class that it was asked for, as the judge sees it.

A. Odena, C. Olah, J. Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017, arXiv:1610.09585,
Section 4.1: the share of generated images that a classifier trained on real ones gives the intended label.
Departure: the classifier is the judge and not Inception. Its own mistakes bound the score: see its accuracy.
"""

from torch import Tensor

from benchmarks.metrics import Column

COLUMNS = (
    Column(
        "label_match", "Label match", "higher", 2, percent=True, main=False,
        note="Share of generated images that the judge labels as asked; n/a for models that are given no label.",
    ),
)  # fmt: skip


def score(*, given_labels: Tensor | None, fake_labels: Tensor | None) -> dict[str, float | None]:
    if given_labels is None or fake_labels is None:
        return {"label_match": None}
    return {"label_match": label_match(given=given_labels, fake=fake_labels)}


def label_match(*, given: Tensor, fake: Tensor) -> float:
    """Share of equal labels."""
    if given.shape != fake.shape or len(given) == 0:
        raise ValueError(
            f"labels asked for have the shape {tuple(given.shape)} and the judge's {tuple(fake.shape)}: give equal ones"
        )
    return (given == fake).double().mean().item()
