"""Copying against its definitions, on copies, fresh draws and underfits."""

import math

import pytest
import torch
from torch import Tensor

from benchmarks.metrics.memorisation import copying, memorisation, z_score


def draws(n: int, seed: int, dims: int = 2) -> Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dims", [2, 40])  # a tree, and products
@pytest.mark.parametrize(("centre", "scale"), [(0, 1), (30, 0.01)])
def test_a_copier_is_caught_by_every_number(dims: int, centre: float, scale: float) -> None:
    train, real = (centre + scale * draws(n, seed, dims) for n, seed in ((800, 0), (600, 1)))
    found = memorisation(real=real, train=train, fake=train[:500])
    assert (found.authpct, found.distance_ratio, found.near_copies) == (0, 0, 1)
    assert found.c_t < -5


def test_fresh_draws_are_no_copies() -> None:
    times, mutual = 60, 6 * math.pi / (8 * math.pi + 3 * 3**0.5)
    found = [
        memorisation(real=draws(500, 3 * i), train=draws(1000, 3 * i + 1), fake=draws(500, 3 * i + 2))
        for i in range(times)
    ]
    expected = {"authpct": 1 - mutual, "c_t": 0, "distance_ratio": 1, "near_copies": 0.05}
    for name, value in expected.items():
        values = torch.tensor([getattr(one, name) for one in found])
        assert values.mean().item() == pytest.approx(value, abs=4 * values.std().item() / times**0.5), name


def test_underfitting_is_far_above_zero() -> None:
    found = memorisation(real=draws(1000, 0), train=draws(1000, 1), fake=2 * draws(1000, 2))
    assert found.c_t > 1
    assert found.distance_ratio > 1.5


@pytest.mark.parametrize("dims", [2, 40])
def test_authenticity_and_distances_by_definition(dims: int) -> None:
    real, train, fake = draws(200, 0, dims), draws(300, 1, dims), draws(250, 2, dims)
    own = torch.cdist(train.double(), train.double()).fill_diagonal_(torch.inf).min(dim=1).values
    (far, nearest), far_real = (
        torch.cdist(fake.double(), train.double()).min(dim=1),
        torch.cdist(real.double(), train.double()).min(dim=1).values,
    )
    found = memorisation(real=real, train=train, fake=fake)
    assert found.authpct == (far > own[nearest]).double().mean().item()
    assert found.distance_ratio == pytest.approx((far.median() / far_real.median()).item())
    assert found.near_copies == (far < far_real.quantile(0.05)).double().mean().item()


def test_a_training_sample_that_occurs_twice_is_at_distance_zero_from_its_own() -> None:
    train = torch.cat([draws(100, 0), draws(100, 0)])
    found = memorisation(real=draws(100, 1), train=train, fake=train[:50] + 1e-3)
    assert found.authpct == 1


def test_z_score_of_known_ranks() -> None:
    low, high = torch.arange(10.0), torch.arange(10.0, 16.0)
    spread = (10 * 6 * 17 / 12) ** 0.5
    assert z_score(real=low, fake=high) == pytest.approx(30 / spread)
    assert z_score(real=high, fake=low) == pytest.approx(-30 / spread)
    assert z_score(real=low, fake=low) == 0


def test_cells_weigh_by_their_held_out_samples_and_small_ones_do_not_count() -> None:
    near, far = torch.arange(20.0), torch.arange(100.0, 120.0)
    real, real_cells = torch.cat([far, near, near, near]), torch.tensor([0] * 20 + [1] * 40 + [2] * 20)
    fake, fake_cells = torch.cat([near, far, far[:19]]), torch.tensor([0] * 20 + [1] * 20 + [2] * 19)
    copied, missed = z_score(real=far, fake=near), z_score(real=torch.cat([near, near]), fake=far)
    found = copying(real=real, fake=fake, real_cells=real_cells, fake_cells=fake_cells)
    assert found == pytest.approx((20 * copied + 40 * missed) / 60)


def test_what_cannot_be_said_is_none() -> None:
    train = draws(100, 0)
    assert memorisation(real=draws(15, 1), train=train, fake=draws(15, 2)).c_t is None
    assert memorisation(real=train, train=train, fake=draws(100, 2)).distance_ratio is None


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ValueError, match="train holds too few samples, 5: give 10 or more"):
        memorisation(real=draws(50, 0), train=draws(5, 1), fake=draws(50, 2))
    with pytest.raises(ValueError, match="real has 2 dimensions and fake has 3"):
        memorisation(real=draws(50, 0), train=draws(50, 1), fake=draws(50, 2, 3))
    with pytest.raises(ValueError, match="train is not finite"):
        memorisation(real=draws(50, 0), train=draws(50, 1).log(), fake=draws(50, 2))
