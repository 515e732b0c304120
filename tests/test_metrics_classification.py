"""What real data, mislabelled data and one class teach."""

import math

import pytest
import torch
from torch import Tensor

from benchmarks.datasets import digits
from benchmarks.metrics import classification
from benchmarks.metrics.classification import classification_accuracy

SPLITS = digits.load()
TRAIN, TEST = ((split.x.flatten(1) / 8.0 - 1, split.label) for split in (SPLITS.train, SPLITS.test))


def accuracy(fake: Tensor, given: Tensor) -> float:
    return classification_accuracy(real=TEST[0], true_labels=TEST[1], fake=fake, given_labels=given)


def test_real_data_teach_what_is_right() -> None:
    assert accuracy(*TRAIN) > 0.97


def test_shuffled_labels_teach_nothing() -> None:
    x, label = TRAIN
    shuffled = label[torch.randperm(len(label), generator=torch.Generator().manual_seed(0))]
    assert accuracy(x, shuffled) == pytest.approx(0.1, abs=0.08)


def test_labels_that_have_changed_places_teach_what_is_wrong() -> None:
    assert accuracy(TRAIN[0], (TRAIN[1] + 1) % 10) < 0.03


def test_a_class_that_is_never_drawn_is_never_recognised() -> None:
    x, label = TRAIN
    known = (TEST[1] < 8).double().mean().item()
    assert known - 0.03 < accuracy(x[label < 8], label[label < 8]) <= known


def test_one_class_is_right_as_often_as_it_occurs() -> None:
    x, label = TRAIN
    assert accuracy(x[label == 3], label[label == 3]) == (TEST[1] == 3).double().mean().item()


def test_a_collapsed_generator_teaches_one_class_at_most() -> None:
    x, label = TRAIN
    assert accuracy(x[:1].expand(200, 64), label[:200]) < 0.2


@pytest.mark.parametrize(("share", "right"), [(0.45, 1), (0.55, 0)])
def test_one_sample_among_many_counts_only_so_far(share: float, right: float) -> None:
    """Its multiplier is 1 at most, since C is: it is called right while exp(-d^2 / D) to the others is below 1/2."""
    dims = 4
    near = torch.full((1, dims), (-math.log(share)) ** 0.5)  # from 0, so that d^2 / D = -log(share)
    fake, given = torch.cat([torch.zeros(1, dims), near.expand(10, -1)]), torch.tensor([0] + [1] * 10)
    found = classification_accuracy(real=fake[:1], true_labels=given[:1], fake=fake, given_labels=given)
    assert found == right


def test_models_that_are_given_no_label_have_no_score() -> None:
    x, label = TEST
    assert classification.score(test=x, test_labels=label, fake=x, given_labels=None) == {"cas": None}


def test_bad_input_is_one_line() -> None:
    x, label = TRAIN
    with pytest.raises(ValueError, match=r"10 fake samples need a label each, not labels of shape \(9,\)"):
        accuracy(x[:10], label[:9])
    with pytest.raises(ValueError, match="real has 64 dimensions and fake has 63"):
        accuracy(x[:, :63], label)
