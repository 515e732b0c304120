"""Statistically different bins against the test of proportions by hand, and their calibration on fresh draws."""

import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from benchmarks.metrics.bins import bins, different, jensen_shannon


def draws(n: int, seed: int, dims: int = 2) -> Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed))


def counts(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_proportions_are_told_apart_at_five_per_cent() -> None:
    half = counts(50, 50)
    assert different(half, counts(65, 35)).tolist() == [True, True]  # z = 0.15 / 0.0699 = 2.15
    assert different(half, counts(62, 38)).tolist() == [False, False]  # z = 0.12 / 0.0702 = 1.71


def test_a_bin_that_both_leave_empty_is_not_different() -> None:
    assert different(counts(10, 0, 10), counts(12, 0, 9)).tolist() == [False, False, False]


def test_divergence_of_known_histograms() -> None:
    assert jensen_shannon(counts(3, 0), counts(0, 5)) == pytest.approx(math.log(2))
    assert jensen_shannon(counts(2, 4, 6), counts(1, 2, 3)) == pytest.approx(0, abs=1e-12)
    a, b = counts(5, 0, 2, 9), counts(1, 3, 2, 4)
    assert jensen_shannon(a, b) == pytest.approx(jensenshannon(a, b) ** 2)


def test_fresh_draws_differ_in_five_per_cent_of_bins_and_diverge_by_the_floor() -> None:
    k, held, n, times = 20, 1000, 1000, 40
    found = [bins(train=draws(2 * held, 2 * i), fake=draws(n, 2 * i + 1), k=k) for i in range(times)]
    shares = torch.tensor([one.ndb for one in found])
    assert shares.mean().item() == pytest.approx(0.05, abs=4 * shares.std().item() / times**0.5)
    floor = (k - 1) / 8 * (1 / held + 1 / n)
    assert sum(one.bins_js for one in found) / times == pytest.approx(floor, rel=0.2)


def test_many_dimensions_are_no_fault_of_fresh_draws() -> None:
    assert bins(train=draws(2000, 0, 100), fake=draws(1000, 1, 100)).ndb <= 0.1


def test_a_dropped_half_is_seen_in_nearly_every_bin() -> None:
    fake = draws(2000, 1)
    found = bins(train=draws(4000, 0), fake=fake[fake[:, 0] > 0], k=20)
    assert found.ndb >= 0.8
    assert found.bins_js > 0.15


def test_few_samples_get_fewer_bins() -> None:
    assert bins(train=draws(1000, 0), fake=draws(40, 1)).ndb in (0, 0.25, 0.5, 0.75, 1)


@pytest.mark.parametrize(
    ("train", "fake", "message"),
    [
        (draws(10, 0), draws(100, 1), "train holds too few samples, 10: give 40"),
        (draws(100, 0), draws(100, 1, 3), "train has 2 dimensions and fake has 3"),
        (draws(100, 0), draws(100, 1).log(), "fake is not finite"),
    ],
)
def test_bad_input_is_one_line(train: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bins(train=train, fake=fake)
