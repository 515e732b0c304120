"""The accuracy of classifiers on samples that they have not seen, where the best there can be is a formula."""

import math

import pytest
import torch
from torch import Tensor

from benchmarks.datasets import ring
from benchmarks.datasets.common.splits import Truth
from benchmarks.metrics.c2st import CLASSIFIERS, accuracy, score

NAMES = list(CLASSIFIERS)


def gaussian(n: int, dims: int, seed: int) -> Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dims", [2, 60])
def test_one_distribution_is_a_coin(name: str, dims: int) -> None:
    found = accuracy(name, real=gaussian(4000, dims, 0), fake=gaussian(4000, dims, 1))
    assert found == pytest.approx(0.5, abs=4 * 0.5 / 8000**0.5)


@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_a_shift_is_told_as_well_as_bayes_would(shift: float) -> None:
    """Phi(|shift| / 2), whatever the dimensions."""
    real, fake = gaussian(4000, 3, 0), gaussian(4000, 3, 1) + shift / 3**0.5
    best = (1 + math.erf(shift / 2 / 2**0.5)) / 2
    error = (best * (1 - best) / 8000) ** 0.5
    assert accuracy("c2st_linear", real=real, fake=fake) == pytest.approx(best, abs=4 * error)
    assert 0.5 + 4 * error < accuracy("c2st_knn", real=real, fake=fake) < best + 4 * error


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_apart_is_told_apart(name: str) -> None:
    assert accuracy(name, real=gaussian(300, 5, 0), fake=gaussian(200, 5, 1) + 30) == 1


@pytest.mark.parametrize("name", NAMES)
def test_no_sample_is_scored_by_what_has_seen_it(name: str) -> None:
    """In 500 dimensions a line divides any 200 samples; those that it was not fitted to it divides by chance."""
    found = accuracy(name, real=gaussian(100, 500, 0), fake=gaussian(100, 500, 1))
    assert found == pytest.approx(0.5, abs=4 * 0.5 / 200**0.5)


def test_neighbours_see_a_shape_and_a_line_does_not() -> None:
    """Modes of the ring half as wide: the same mean and nearly the same variance."""
    truth = ring.load(train=1, validation=1, test=1).truth
    rng = torch.Generator().manual_seed(0)
    real, fake = truth.sample(4000, rng).x, Truth(truth.centres, truth.sigma / 2).sample(4000, rng).x
    assert accuracy("c2st_knn", real=real, fake=fake) > 0.65
    assert accuracy("c2st_linear", real=real, fake=fake) == pytest.approx(0.5, abs=0.03)


def test_a_line_sees_a_small_shift_in_many_dimensions_better() -> None:
    real, fake = gaussian(2000, 100, 0), gaussian(2000, 100, 1) + 0.1
    assert accuracy("c2st_linear", real=real, fake=fake) > accuracy("c2st_knn", real=real, fake=fake) + 0.05


@pytest.mark.parametrize("name", NAMES)
def test_units_and_numbers_of_samples_do_not_matter(name: str) -> None:
    real, fake = gaussian(500, 2, 0), gaussian(500, 2, 1) + 1
    unit = torch.tensor([1000.0, 0.25])
    there = accuracy(name, real=unit * real + 7, fake=unit * fake + 7)
    assert there == pytest.approx(accuracy(name, real=real, fake=fake), abs=0.005)
    assert accuracy(name, real=gaussian(3000, 2, 0), fake=gaussian(100, 2, 1)) == pytest.approx(0.5, abs=0.15)


def test_five_neighbours_vote() -> None:
    """Four in five of one place are real, and one in five of the other: a vote is right as binomial chance has it."""
    n, share = 4000, 0.8
    place = torch.arange(n) < share * n
    real, fake = (gaussian(n, 2, seed) + 100 * where[:, None] for seed, where in ((0, place), (1, ~place)))
    vote = sum(math.comb(5, k) * share**k * (1 - share) ** (5 - k) for k in (3, 4, 5))
    right = vote * share + (1 - vote) * (1 - share)  # 0.765; of three neighbours 0.738, of one 0.68
    assert accuracy("c2st_knn", real=real, fake=fake) == pytest.approx(right, abs=0.012)


def test_copies_are_on_the_other_side() -> None:
    x = gaussian(1000, 2, 0)
    assert accuracy("c2st_knn", real=x, fake=x.clone()) < 0.4


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ValueError, match="fake holds too few samples, 19: give 20 or more"):
        score(real_features=gaussian(30, 2, 0), fake_features=gaussian(19, 2, 1))
