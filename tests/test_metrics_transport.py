"""Distances between two sets of points where the answer is a formula: Wasserstein, sliced Wasserstein, MMD."""

import itertools
import math

import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from benchmarks.datasets import ring
from benchmarks.metrics import mmd, transport
from benchmarks.metrics.mmd import squared_mmd
from benchmarks.metrics.transport import by_cells, histogram, sliced, wasserstein


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


@pytest.mark.parametrize("sigma", [0.1, None])
def test_equal_sets_are_at_no_distance_and_may_differ_in_size_from_others(sigma: float | None) -> None:
    real, fake = gaussian(3000).float(), gaussian(5000, seed=1).float()
    same = transport.score(real=real, fake=real.clone(), sigma=sigma)
    assert same == pytest.approx({"w1": 0, "w2": 0, "sliced_w2": 0}, abs=1e-6)
    assert transport.score(real=real[:700], fake=fake, sigma=sigma)["w1"] > 0


def test_samples_in_cells_are_as_far_as_the_samples_to_the_stated_bound() -> None:
    """Against the exact matching of the samples themselves; the bound is sigma sqrt(D), and met by far."""
    real, fake = gaussian(1500), gaussian(1500, seed=1) * torch.tensor([1.5, 0.7]) + 0.3
    found = by_cells(real=real, fake=fake, side=0.1)
    exact = [wasserstein(real=real, fake=fake, order=order) for order in (1, 2)]
    assert found == pytest.approx(exact, abs=0.1 * 2**0.5 / 10)


def test_shares_of_two_places_by_hand() -> None:
    """A quarter of the mass moves by 4: W1 = 1, W2^2 = 4."""
    place = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    real, fake = place[[0, 1, 0, 1]], place[[0, 0, 0, 1, 0, 0, 0, 1]]
    assert by_cells(real=real, fake=fake, side=0.1) == pytest.approx((1, 2))


def test_a_cell_stands_where_its_samples_are() -> None:
    places, shares = histogram(torch.tensor([[0.3, 0.3], [-0.1, 0.1], [0.9, 0.0], [0.1, -0.1]]), 1.0)
    assert shares.tolist() == [0.75, 0.25]
    assert places.tolist() == [pytest.approx([0.1, 0.1]), pytest.approx([0.9, 0.0])]


def test_a_shift_that_fits_no_cell_is_found_all_the_same() -> None:
    """Means are kept, so W1 and W2 are at least |shift|, whatever the cells."""
    real, shift = gaussian(20_000), torch.tensor([0.03, -0.04])
    found = by_cells(real=real, fake=real + shift, side=0.5)
    assert all(0.05 - 1e-9 <= value < 0.05 + 0.5 * 2**0.5 for value in found)


def test_the_truth_is_as_far_from_itself_as_the_shares_of_its_modes_are() -> None:
    """The plan between eight places by SciPy; what lies within modes adds little, and cannot take more than it is."""
    splits = ring.load()
    real, fake, sigma = splits.test.x, splits.train.x[:50_000], splits.truth.sigma
    centres = splits.truth.centres.double()
    a, b = (torch.cdist(x.double(), centres).argmin(1).bincount(minlength=8) / len(x) for x in (real, fake))
    marginals = [torch.eye(8).repeat_interleave(8, dim=1), torch.eye(8).repeat(1, 8)]
    cost = torch.cdist(centres, centres).flatten()
    plan = linprog(cost.numpy(), A_eq=torch.cat(marginals).numpy(), b_eq=torch.cat([a, b]).numpy())
    assert by_cells(real=real, fake=fake, side=sigma)[0] == pytest.approx(plan.fun, abs=0.1 * sigma)
    assert plan.fun < 0.03


def test_one_ulp_moves_nothing() -> None:
    real, fake = gaussian(5000).float(), gaussian(5000, seed=1).float()
    moved = fake.nextafter(torch.tensor(math.inf))
    there, here = (transport.score(real=real, fake=x, sigma=0.1) for x in (moved, fake))
    assert there == pytest.approx(here, abs=1e-5)


def test_scattered_samples_get_wider_cells() -> None:
    """Uniform over a square of 320 cells a side: with 3,000 cells at most, eight of them make one."""
    square = torch.rand(50_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 16
    places, shares = histogram(square, 0.05)
    assert 1600 <= len(places) <= 41 * 41
    assert shares.sum().item() == pytest.approx(1)
    assert (shares @ places).tolist() == pytest.approx(square.mean(0).tolist())
    corner = torch.zeros(10, 2)
    expected = torch.linalg.vector_norm(square, dim=1).mean().item()  # all that one place can be moved to
    assert by_cells(real=corner, fake=square, side=0.05)[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("side", [0.0, -1.0, math.nan])
def test_a_cell_needs_a_side(side: float) -> None:
    with pytest.raises(ValueError, match=f"sigma is {side}: a cell needs a positive side"):
        by_cells(real=gaussian(3), fake=gaussian(3), side=side)


def test_samples_of_the_truth_come_nearer_the_more_they_are() -> None:
    few, more = (
        sum(wasserstein(real=gaussian(n, seed=2 * s), fake=gaussian(n, seed=2 * s + 1), order=1) for s in range(5))
        for n in (50, 500)
    )
    assert few > 2 * more > 0


def test_images_are_not_points() -> None:
    images = torch.zeros(4, 1, 2, 2)
    assert set(transport.score(real=images, fake=images, sigma=1.0).values()) == {None}
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
        transport.score(real=real, fake=fake, sigma=1.0)
    with pytest.raises(ValueError, match=message):
        squared_mmd(real=real, fake=fake, sigma=1.0)
