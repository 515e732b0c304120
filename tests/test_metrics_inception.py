"""The inception score of predictions whose score is known."""

import math

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from benchmarks.metrics.inception_score import inception_score, score


def test_sure_and_even_is_the_number_of_classes() -> None:
    assert inception_score(probabilities=torch.eye(10).repeat(7, 1)) == pytest.approx(10)


@pytest.mark.parametrize("p", [torch.eye(10)[:1].repeat(5, 1), torch.full((5, 10), 0.1)])
def test_one_class_or_no_idea_is_one(p: Tensor) -> None:
    assert inception_score(probabilities=p) == pytest.approx(1)


def test_a_class_that_never_occurs_counts_nothing() -> None:
    p = torch.rand(50, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    padded = torch.cat([p, torch.zeros(50, 3)], dim=1)
    assert inception_score(probabilities=padded) == pytest.approx(inception_score(probabilities=p), rel=1e-12)


def test_two_classes_written_out() -> None:
    p = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64)
    kl = [0.9 * math.log(0.9 / 0.6) + 0.1 * math.log(0.1 / 0.4), 0.3 * math.log(0.3 / 0.6) + 0.7 * math.log(0.7 / 0.4)]
    assert inception_score(probabilities=p) == pytest.approx(math.exp(sum(kl) / 2), rel=1e-12)


def test_agrees_with_torch_fidelity_in_one_split() -> None:
    logits = 3 * torch.randn(300, 20, generator=torch.Generator().manual_seed(0))
    theirs = isc_features_to_metric(logits, splits=1)["inception_score_mean"]
    assert inception_score(probabilities=logits.softmax(dim=1)) == pytest.approx(theirs, rel=1e-5)


def test_the_columns_are_each_classifiers_own() -> None:
    found = score(fake_probabilities=torch.eye(3), fake_inception_probabilities=torch.eye(5))
    assert found == pytest.approx({"judge_is": 3, "inception_score": 5})


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (torch.tensor([[0.5, 0.4], [0.5, 0.5]]), "do not sum to 1 in 1 of 2 samples"),
        (torch.tensor([[1.5, -0.5]]), "negative, NaN or do not sum to 1 in 1 of 1"),
        (torch.tensor([[math.nan, 0.5]]), "NaN"),
        (torch.zeros(0, 5), r"probabilities have the shape \(0, 5\)"),
        (torch.tensor([0, 1]), r"probabilities have the shape \(2,\)"),
    ],
)
def test_bad_input_is_one_line(p: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inception_score(probabilities=p)
