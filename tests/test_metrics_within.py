"""How modes are filled, on samples whose moments, counts and densities are known."""

import math

import pytest
import torch
from scipy.stats import chi2 as chi_squared
from torch import Tensor

from benchmarks.datasets import ring
from benchmarks.datasets.common.splits import Truth
from benchmarks.metrics.within import COLUMNS, chi2, cross_entropy, moments, score

CENTRES = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
TRUTH = Truth(CENTRES, 0.1)
CUT_OFF = math.sqrt(1 - 4.5 * math.exp(-4.5) / (1 - math.exp(-4.5)))  # of r^2 / 2, exponential, below 4.5


def scored(fake: Tensor) -> dict[str, float | None]:
    return score(fake=fake, centres=CENTRES, sigma=0.1, weights=None)


def cross(wide: float, high: float, n: int = 100) -> Tensor:
    """n times four points around the origin with a covariance (ddof = 1) of nearly (wide^2, high^2) / 2."""
    return torch.tensor([[wide, 0.0], [-wide, 0.0], [0.0, high], [0.0, -high]], dtype=torch.float64).repeat(n, 1)


def test_the_truths_own_spread_is_less_than_sigma() -> None:
    """In two dimensions in closed form, in any by chi-squared."""
    assert pytest.approx(math.sqrt(chi_squared.cdf(9, 4) / chi_squared.cdf(9, 2))) == CUT_OFF
    assert f"{CUT_OFF:.3f}" == "0.974" and "0.974" in COLUMNS[0].note
    found = scored(TRUTH.sample(200_000, torch.Generator().manual_seed(0)).x)
    assert found["mode_spread"] == pytest.approx(CUT_OFF, abs=4 * 0.5 / 50_000**0.5)
    assert 0.98 * CUT_OFF < found["mode_narrow"] < found["mode_spread"]


def test_moments_by_hand() -> None:
    shape = cross(0.1, 0.02)
    shift = torch.tensor([0.06, 0.08])
    fake = torch.cat([centre + shift + shape for centre in CENTRES.double()])
    found = moments(fake=fake, centres=CENTRES, sigma=0.1)
    unbiased = 400 / 399
    assert found["mode_spread"] == pytest.approx(math.sqrt((1 + 0.04) / 4 * unbiased))
    assert found["mode_narrow"] == pytest.approx(math.sqrt(0.04 / 2 * unbiased))
    assert found["mode_shift"] == pytest.approx(1)


def test_axes_may_lie_anyhow() -> None:
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    found = moments(fake=CENTRES[0] + cross(0.1, 0.0) @ turn, centres=CENTRES[:1], sigma=0.1)
    assert found["mode_narrow"] == pytest.approx(0, abs=1e-7)
    assert found["mode_spread"] == pytest.approx(math.sqrt(400 / 399) / 2)


def test_the_median_mode_stands_for_all_and_a_missing_one_is_displaced_most() -> None:
    modes = [CENTRES[k].double() + k * torch.tensor([0.1, 0.0]) + cross(0.01, 0.01) for k in range(3)]
    found = moments(fake=torch.cat(modes[:2]), centres=CENTRES[:3], sigma=0.1)
    assert found["mode_shift"] == pytest.approx(1)  # of 0, 1 and 3
    assert found["mode_spread"] == pytest.approx(0.1 * math.sqrt(400 / 399 / 2))  # of the two that are there
    assert moments(fake=modes[0], centres=CENTRES, sigma=0.1)["mode_shift"] == 3


def test_too_few_samples_in_a_mode_have_no_width() -> None:
    found = scored(CENTRES.repeat(19, 1))
    assert found["mode_spread"] is found["mode_narrow"] is None and found["mode_shift"] == 3
    assert scored(CENTRES.repeat(20, 1))["mode_spread"] == 0


def test_strays_widen_no_mode_and_are_counted() -> None:
    fake = torch.cat([CENTRES[0].double() + cross(0.1, 0.1), torch.full((400, 2), 50.0, dtype=torch.float64)])
    found = moments(fake=fake, centres=CENTRES[:1], sigma=0.1)
    assert found["mode_spread"] == pytest.approx(math.sqrt(400 / 399 / 2))


def test_chi_squared_by_hand() -> None:
    assert chi2(counts=torch.tensor([30, 10])) == pytest.approx(2 * 10**2 / 20)
    assert chi2(counts=torch.tensor([5, 5, 5])) == 0
    assert chi2(counts=torch.tensor([60, 0, 0, 0])) == pytest.approx(60)  # n, the most there can be
    assert chi2(counts=torch.tensor([7])) == 0


def test_the_truth_has_a_chi_squared_of_one_a_degree_of_freedom() -> None:
    truth = ring.load(train=1, validation=1, test=1).truth
    found = [score(fake=truth.sample(1000, torch.Generator().manual_seed(s)).x, **truth._asdict()) for s in range(60)]
    mean = sum(values["mode_chi2"] for values in found) / 60
    assert mean == pytest.approx(1, abs=4 * (2 / 7 / 60) ** 0.5)


def test_cross_entropy_of_samples_of_any_width_in_closed_form() -> None:
    """Modes far apart, each as wide as s sigma: log K + D/2 log(2 pi sigma^2) + D s^2 / 2; s = 1 is the entropy."""
    truth = Truth(CENTRES, 0.02)
    rng = torch.Generator().manual_seed(0)
    for s in (0.4, 1.0, 2.0):
        fake = Truth(CENTRES, 0.02 * s).sample(100_000, rng).x
        expected = math.log(4) + math.log(2 * math.pi * 0.02**2) + s**2
        found = cross_entropy(fake=fake, centres=CENTRES, sigma=0.02)
        assert found == pytest.approx(expected, abs=4 * s**2 / 100_000**0.5)
        assert found == pytest.approx(-truth.log_density(fake.double()).mean().item())


def test_a_stray_costs_half_its_squared_distance() -> None:
    at = cross_entropy(fake=torch.zeros(1, 2), centres=torch.zeros(1, 2), sigma=0.1)
    away = cross_entropy(fake=torch.tensor([[3.0, 4.0]]), centres=torch.zeros(1, 2), sigma=0.1)
    assert at == pytest.approx(math.log(2 * math.pi * 0.01)) and away - at == pytest.approx(50**2 / 2)


def test_narrow_modes_beside_the_centre_show_where_high_quality_does_not() -> None:
    rng = torch.Generator().manual_seed(1)
    fake = Truth(CENTRES + torch.tensor([0.085, 0.0]), 0.04).sample(20_000, rng).x
    good = (torch.cdist(fake, CENTRES).amin(1) < 0.3).double().mean().item()
    found = scored(fake)
    assert good > 0.97
    assert found["mode_spread"] == pytest.approx(0.4, rel=0.03) and found["mode_shift"] == pytest.approx(0.85, rel=0.03)


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"fake is not finite .* in 1 of 1"):
        scored(torch.tensor([[1.0, math.nan]]))


def test_unequal_modes_have_the_truths_own_chi_squared_and_entropy() -> None:
    truth = Truth(CENTRES, 0.1, torch.tensor([0.1, 0.2, 0.3, 0.4]))
    assert chi2(counts=torch.tensor([10, 20, 30, 40]), weights=truth.weights) == pytest.approx(0, abs=1e-12)
    assert chi2(counts=torch.tensor([20, 10, 30, 40]), weights=truth.weights) == pytest.approx(
        (100 / 10 + 100 / 20) / 3
    )
    fake = truth.sample(20_000, torch.Generator().manual_seed(0)).x
    found = cross_entropy(fake=fake, centres=CENTRES, sigma=0.1, weights=truth.weights)
    entropy = -sum(p * math.log(p) for p in (0.1, 0.2, 0.3, 0.4)) + 1 + math.log(2 * math.pi * 0.01)
    assert found == pytest.approx(entropy, abs=0.04)
    assert found == pytest.approx(-truth.log_density(fake.double()).mean().item())
