"""Distances between two sets of points where the answer is a formula: Wasserstein, sliced Wasserstein, MMD."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from benchmarks.metrics import mmd, transport
from benchmarks.metrics.mmd import squared_mmd
from benchmarks.metrics.transport import sliced, wasserstein


def gaussian(n: int, dims: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(n, dims, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("order", [1, 2])
def test_no_plan_is_cheaper(order: int) -> None:
    """Against all 720 matchings of six points with six."""
    real, fake = gaussian(6), gaussian(6, seed=1)
    costs = (
        (torch.linalg.vector_norm(real - fake[list(plan)], dim=1) ** order).mean().item()
        for plan in itertools.permutations(range(6))
    )
    assert wasserstein(real=real, fake=fake, order=order) == pytest.approx(min(costs) ** (1 / order))


@pytest.mark.parametrize("order", [1, 2])
def test_a_translation_is_as_far_as_its_shift(order: int) -> None:
    real = gaussian(500)
    assert wasserstein(real=real, fake=real.flip(0) + torch.tensor([3.0, -4.0]), order=order) == pytest.approx(5)


def test_a_translation_far_from_the_origin_keeps_its_digits() -> None:
    real = 1000 + gaussian(200)
    assert wasserstein(real=real, fake=real + torch.tensor([1e-4, 0.0]), order=1) == pytest.approx(1e-4, rel=1e-6)


def test_a_scaling_is_as_far_as_the_spread_it_adds() -> None:
    real = gaussian(500)
    assert wasserstein(real=real, fake=3 * real, order=2) == pytest.approx(2 * real.square().sum(dim=1).mean().sqrt())


def test_samples_of_two_gaussians_are_near_the_closed_form() -> None:
    """D. Dowson and B. Landau, 1982: W2^2 = |m|^2 + sum of (s - 1)^2 over axes; both means here over three draws."""
    scale, shift = torch.tensor([3.0, 0.5]).double(), torch.tensor([4.0, 0.0]).double()
    found = [
        wasserstein(real=gaussian(800, seed=2 * draw), fake=shift + scale * gaussian(800, seed=2 * draw + 1), order=2)
        for draw in range(3)
    ]
    assert sum(found) / 3 == pytest.approx(math.sqrt(16 + 4 + 0.25), rel=0.03)


def test_on_a_line_sliced_is_exact() -> None:
    real, fake = gaussian(300, dims=1), 2 * gaussian(300, dims=1, seed=1) + 1
    assert sliced(real, fake) == pytest.approx(wasserstein(real=real, fake=fake, order=2))


def test_sliced_is_a_share_of_a_translation() -> None:
    """Lines are spread evenly: each of two axes bears half of the square, up to the choice of 128 of them."""
    real = gaussian(1000)
    assert sliced(real, real + torch.tensor([5.0, 0.0])) == pytest.approx(5 / math.sqrt(2), rel=0.1)
    both = [sliced(real, real + torch.tensor(shift)) ** 2 for shift in ([5.0, 0.0], [0.0, 5.0])]
    assert sum(both) == pytest.approx(25)


def test_sliced_is_at_most_w2() -> None:
    real, fake = gaussian(300), 2 * gaussian(300, seed=1) + 1
    assert 0 < sliced(real, fake) < wasserstein(real=real, fake=fake, order=2)


def test_equal_sets_are_at_no_distance_and_larger_ones_are_drawn_from() -> None:
    real, fake = gaussian(3000).float(), gaussian(5000, seed=1).float()
    assert transport.score(real=real, fake=real.clone()) == {"w1": 0, "w2": 0, "sliced_w2": 0}
    first = transport.score(real=real, fake=fake)
    assert transport.score(real=real.flip(0), fake=fake.flip(0)) == pytest.approx(first)
    assert transport.score(real=real[:700], fake=fake)["w1"] > 0


def test_samples_of_the_truth_come_nearer_the_more_they_are() -> None:
    few, more = (
        sum(wasserstein(real=gaussian(n, seed=2 * s), fake=gaussian(n, seed=2 * s + 1), order=1) for s in range(5))
        for n in (50, 500)
    )
    assert few > 2 * more > 0


def test_images_are_not_points() -> None:
    images = torch.zeros(4, 1, 2, 2)
    assert set(transport.score(real=images, fake=images).values()) == {None}
    assert mmd.score(real=images, fake=images, sigma=1.0) == {"mmd2": None}


def test_mmd_is_0_on_average_for_one_distribution() -> None:
    found = torch.tensor(
        [squared_mmd(real=gaussian(20, seed=2 * s), fake=gaussian(30, seed=2 * s + 1), sigma=0.2) for s in range(400)]
    )
    assert abs(found.mean()) < 4 * found.std() / 400**0.5
    assert found.min() < 0 < found.max()


def expected_mmd2(shift: float, sigma: float) -> float:
    """Of N(0, I) and N(shift, I) in two dimensions: Gaussian kernels of Gaussians are Gaussians."""
    total = 0.0
    for bandwidth in (sigma, 4 * sigma, 16 * sigma, 64 * sigma):
        variance = bandwidth**2 + 2
        total += 2 * bandwidth**2 / variance * (1 - math.exp(-(shift**2) / (2 * variance)))
    return total / 4


def test_mmd_of_two_gaussians_meets_the_closed_form() -> None:
    real, fake = gaussian(4000), gaussian(3000, seed=1) + torch.tensor([1.5, 0.0])
    assert squared_mmd(real=real, fake=fake, sigma=0.2) == pytest.approx(expected_mmd2(1.5, 0.2), rel=0.05)


def test_mmd_by_hand() -> None:
    """Two samples each: at 0 and 1, and both at 0."""
    real, fake = torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.zeros(2, 2)
    kernel = sum(math.exp(-1 / (2 * bandwidth**2)) for bandwidth in (1, 4, 16, 64)) / 4
    assert squared_mmd(real=real, fake=fake, sigma=1.0) == pytest.approx(kernel + 1 - (1 + kernel), abs=1e-12)
    assert squared_mmd(real=real, fake=fake + 1, sigma=1.0) == pytest.approx(
        kernel + 1 - sum(math.exp(-d / (2 * b**2)) for d in (1, 2) for b in (1, 4, 16, 64)) / 4
    )


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(4, 2), torch.tensor([[math.nan, 0.0]]), "fake is not finite"),
        (torch.zeros(4, 2), torch.zeros(4, 3), "real has 2 dimensions and fake has 3"),
        (torch.zeros(0, 2), torch.zeros(4, 2), "real is empty"),
    ],
)
def test_bad_input_is_one_line(real: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transport.score(real=real, fake=fake)
    with pytest.raises(ValueError, match=message):
        squared_mmd(real=real, fake=fake, sigma=1.0)
