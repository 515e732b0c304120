"""Nats and bits per dimension of likelihoods that are known."""

import math

import pytest
import torch

from benchmarks.metrics.likelihood import score


def test_a_uniform_model_needs_the_bits_of_its_levels() -> None:
    dims, levels = 64, 16
    log_prob = torch.full((10,), -dims * math.log(levels))
    values = score(train_log_prob=None, log_prob=log_prob, dims=dims, levels=levels)
    assert values["nats"] == pytest.approx(dims * math.log(levels))
    assert values["bits_per_dim"] == pytest.approx(4)


def test_points_have_nats_and_no_bits() -> None:
    values = score(train_log_prob=None, log_prob=torch.tensor([1.0, 2.0]), dims=2, levels=0)
    assert values == {"nats": -1.5, "bits_per_dim": None, "nats_train": None, "nats_gap": None}


def test_many_large_values_are_summed_in_float64() -> None:
    log_prob = torch.full((100_000,), -1234.567)
    exact = log_prob[0].double().item()
    assert score(train_log_prob=None, log_prob=log_prob, dims=1, levels=2)["nats"] == pytest.approx(-exact, rel=1e-12)


def test_an_impossible_sample_leaves_no_number() -> None:
    values = score(train_log_prob=None, log_prob=torch.tensor([-1.0, -math.inf]), dims=2, levels=2)
    assert set(values.values()) == {None}


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_broken_likelihood_is_one_line(broken: float) -> None:
    with pytest.raises(ValueError, match=r"log_prob is NaN or \+inf for 1 of 2 data"):
        score(train_log_prob=None, log_prob=torch.tensor([-1.0, broken]), dims=2, levels=2)


def test_a_likelihood_is_one_number_a_sample() -> None:
    with pytest.raises(ValueError, match=r"log_prob has the shape \(2, 2\)"):
        score(train_log_prob=None, log_prob=torch.zeros(2, 2), dims=2, levels=2)
