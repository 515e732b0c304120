"""Divergences from a known density, and what a critic makes of them, where the answer is a formula."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from benchmarks.metrics import critic
from benchmarks.metrics.common.histograms import jensen_shannon, kl_from_uniform
from benchmarks.metrics.divergence import divergences, kl, log_mass, score

ORIGIN = torch.zeros(1, 2)
FOUR = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])


def gaussian(n: int, mean: Tensor = ORIGIN, sigma: float = 1.0, seed: int = 0) -> Tensor:
    return mean + sigma * torch.randn(n, mean.shape[1], generator=torch.Generator().manual_seed(seed))


def square_of_cells(reach: int) -> Tensor:
    line = torch.arange(-reach, reach + 1, dtype=torch.float64)
    return torch.cartesian_prod(line, line)


def test_the_cells_of_the_plane_hold_the_whole_truth() -> None:
    masses = log_mass(cells=square_of_cells(60), size=0.1, centres=FOUR, sigma=0.1).exp()
    assert masses.sum().item() == pytest.approx(1, abs=1e-12)
    assert masses.view(121, 121)[60 + 20, 60].item() == pytest.approx(math.erf(0.5 / 2**0.5) ** 2 / 4, rel=1e-9)


@pytest.mark.parametrize("far", [40.0, 1e5, 1e20, 1e38])
def test_masses_far_out_keep_their_logarithm(far: float) -> None:
    cells = torch.tensor([[far, 0.0]], dtype=torch.float64)
    found = log_mass(cells=cells, size=1.0, centres=ORIGIN, sigma=1.0).item()
    # the cell's near edge is half a sigma closer; the tail beyond a is about exp(-a^2 / 2) / a sqrt(2 pi)
    assert found == pytest.approx(-((far - 0.5) ** 2) / 2, rel=0.01)


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
def test_shifted_gaussians_meet_the_closed_form(shift: float) -> None:
    cells = torch.arange(-400, 480, dtype=torch.float64)[:, None]
    at_zero, moved = (
        log_mass(cells=cells, size=0.05, centres=torch.tensor([[mean]]), sigma=1.0) for mean in (0.0, shift)
    )
    assert kl(at_zero, moved) == pytest.approx(shift**2 / 2, rel=1e-3)
    assert kl(moved, at_zero) == pytest.approx(shift**2 / 2, rel=1e-3)


def test_a_wider_gaussian_meets_the_closed_form() -> None:
    cells = torch.arange(-1000, 1001, dtype=torch.float64)[:, None]
    narrow, wide = (log_mass(cells=cells, size=0.02, centres=torch.zeros(1, 1), sigma=sigma) for sigma in (1.0, 2.0))
    assert kl(wide, narrow) == pytest.approx(2 - 0.5 - math.log(2), rel=1e-3)
    assert kl(narrow, wide) == pytest.approx(1 / 8 - 0.5 + math.log(2), rel=1e-3)


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_samples_of_a_shifted_gaussian_score_its_divergences_on_the_cells(shift: float) -> None:
    found = divergences(fake=gaussian(200_000, torch.tensor([[shift, 0.0]])), centres=ORIGIN, sigma=1.0)
    truth, moved = (
        log_mass(cells=square_of_cells(12), size=1.0, centres=torch.tensor([[mean, 0.0]]), sigma=1.0)
        for mean in (0.0, shift)
    )
    assert found.density_kl == pytest.approx(kl(truth, moved), rel=0.02)
    assert found.density_reverse_kl == pytest.approx(kl(moved, truth), rel=0.02)
    assert found.density_js == pytest.approx(jensen_shannon(truth.exp(), moved.exp()), rel=0.02)
    assert found.density_reverse_kl <= shift**2 / 2  # cells tell less apart than densities do


def test_disjoint_samples_are_log_2_apart() -> None:
    found = divergences(fake=gaussian(1000) + 1000, centres=ORIGIN, sigma=1.0)
    assert found.density_js == pytest.approx(math.log(2), abs=1e-12)
    assert found.density_kl == pytest.approx(math.log(1001))
    assert found.density_reverse_kl == pytest.approx(1e6, rel=0.01)


def test_a_dropped_mode_costs_its_share_whichever_way() -> None:
    """Half of the modes, each drawn as it should be: JS and both KL in closed form but for the counts' chance."""
    n, sigma = 100_000, 0.1
    found = divergences(fake=gaussian(n, FOUR[:2].repeat(n // 2, 1), sigma), centres=FOUR, sigma=sigma)
    assert found.density_reverse_kl == pytest.approx(math.log(2), rel=0.01)
    assert found.density_js == pytest.approx(
        0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3) + 0.25 * math.log(2), rel=0.01
    )
    assert found.density_kl == pytest.approx(0.5 * math.log(n + 1) - 0.5 * math.log(2), rel=0.01)


def test_the_floor_shrinks_with_more_samples() -> None:
    floors = [
        divergences(fake=gaussian(n, FOUR.repeat(n // 4, 1), 0.1), centres=FOUR, sigma=0.1) for n in (400, 4000, 40_000)
    ]
    for few, more in itertools.pairwise(floors):
        assert all(floor > 4 * less > 0 for floor, less in zip(few, more, strict=True))


def test_divergences_do_not_depend_on_place_or_scale() -> None:
    """Thirty units away, a whole number of cells, and a hundred times as large."""
    fake = gaussian(2000, FOUR.repeat(500, 1), 0.125).double()
    there = divergences(fake=100 * (fake + 30), centres=100 * (FOUR + 30), sigma=12.5)
    assert there == pytest.approx(divergences(fake=fake, centres=FOUR, sigma=0.125), rel=1e-6)


@pytest.mark.parametrize(
    ("fake", "sigma", "message"),
    [
        (torch.tensor([[1.0, math.inf]]), 1.0, "fake is not finite .* in 1 of 1"),
        (torch.zeros(4, 3), 1.0, "3 dimensions"),
        (torch.zeros(4, 2), 0.0, "sigma is 0.0"),
    ],
)
def test_bad_input_is_one_line(fake: Tensor, sigma: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(fake=fake, centres=ORIGIN, sigma=sigma, weights=None)


def test_a_critics_estimate_is_in_the_column_of_its_divergence() -> None:
    assert critic.score(estimate=0.25, estimated="reverse KL") == {
        "critic_w1": None, "critic_scaled_w1": None, "critic_kl": None, "critic_reverse_kl": 0.25, "critic_js": None,
    }  # fmt: skip


@pytest.mark.parametrize(("estimate", "of"), [(0.3, "JS"), (0.6, "2 JS"), (2 * 0.3 - math.log(4), "2 JS - log 4")])
def test_every_way_to_state_a_js_is_one_column(estimate: float, of: str) -> None:
    assert critic.score(estimate=estimate, estimated=of)["critic_js"] == pytest.approx(0.3)


@pytest.mark.parametrize(("estimate", "of"), [(0.2, "Pearson chi2"), (-math.inf, "KL"), (math.nan, "JS")])
def test_an_estimate_of_something_else_or_of_nothing_is_in_none(estimate: float, of: str) -> None:
    assert set(critic.score(estimate=estimate, estimated=of).values()) == {None}


def test_nan_is_no_perfect_score() -> None:
    """max(0, nan) is 0 in Python; a divergence that cannot be computed has to stay so."""
    lost = torch.full((3,), math.nan, dtype=torch.float64)
    assert math.isnan(kl(lost, lost))
    assert math.isnan(jensen_shannon(lost, lost))
    assert math.isnan(kl_from_uniform(counts=lost))


def test_masses_are_those_of_unequal_modes() -> None:
    """Far apart each mode has its share, in cells that are its own."""
    centres, weights = torch.tensor([[0.0], [1000.0]]), torch.tensor([0.2, 0.8])
    cells = torch.cat([torch.arange(-10, 11), torch.arange(990, 1011)]).double()[:, None]
    found = log_mass(cells=cells, size=1.0, centres=centres, sigma=1.0, weights=weights).exp()
    assert found[:21].sum().item() == pytest.approx(0.2) and found[21:].sum().item() == pytest.approx(0.8)
