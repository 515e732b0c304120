"""Whether a conditional model draws the class that it was asked for, as the judge or the truth has it.

A. Odena, C. Olah, J. Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017, arXiv:1610.09585,
Section 4.1: the share of generated images that a classifier trained on real ones gives the intended label.
Departure: the classifier is the judge and not Inception. Its own mistakes bound the score: see its accuracy. Points
with known modes, whose labels they are, need none: the nearest mode counts. And, class by class, how many are obeyed.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_points
from benchmarks.metrics.common.occupancy import nearest_mode

COLUMNS = (
    Column(
        "label_match", "Label match", "higher", 2, percent=True, main=False,
        note="Share of samples with the label that was asked for, the judge's or, of points, that of the nearest mode; "
        "n/a for models that are given no label.",
    ),
    Column(
        "labels_obeyed", "Labels obeyed", "higher", 1, main=False,
        note="Labels of which half of the samples asked for, or more, are so labelled; n/a where none is given.",
    ),
)  # fmt: skip


def score(
    *, given_labels: Tensor | None, fake_labels: Tensor | None, fake: Tensor | None, centres: Tensor | None
) -> dict[str, float | None]:
    if fake_labels is None and fake is not None and centres is not None:
        check_points("fake", fake)
        fake_labels = nearest_mode(fake, centres)[1]
    if given_labels is None or fake_labels is None:
        return {"label_match": None, "labels_obeyed": None}
    return {
        "label_match": label_match(given=given_labels, fake=fake_labels),
        "labels_obeyed": labels_obeyed(given=given_labels, fake=fake_labels),
    }


def label_match(*, given: Tensor, fake: Tensor) -> float:
    """Share of equal labels."""
    if given.shape != fake.shape or len(given) == 0:
        raise ValueError(
            f"labels asked for have the shape {tuple(given.shape)} and the judge's {tuple(fake.shape)}: give equal ones"
        )
    return (given == fake).double().mean().item()


def labels_obeyed(*, given: Tensor, fake: Tensor) -> float:
    """How many labels are met in half of the cases that ask for them, or more."""
    asked = torch.bincount(given)
    met = torch.bincount(given[given == fake], minlength=len(asked))
    return float(((2 * met >= asked) & (asked > 0)).sum())
