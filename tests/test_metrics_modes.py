"""Modes, high-quality share and reverse KL on samples whose counts are known."""

import math

import pytest
import torch

from benchmarks.metrics.common.histograms import js_from_uniform, kl_from, kl_from_uniform
from benchmarks.metrics.modes import occupancy, score

CENTRES = 2 * torch.tensor([[math.cos(2 * math.pi * k / 8), math.sin(2 * math.pi * k / 8)] for k in range(8)])
SIGMA = 0.02


def perfect(n: int, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    mode = torch.randint(0, 8, (n,), generator=rng)
    return CENTRES[mode] + SIGMA * torch.randn(n, 2, generator=rng)


def test_a_perfect_sampler_scores_98_89_percent() -> None:
    values = score(fake=perfect(50_000), centres=CENTRES, sigma=SIGMA, weights=None)
    expected = 1 - math.exp(-4.5)
    error = (expected * (1 - expected) / 50_000) ** 0.5
    assert expected == pytest.approx(0.9889, abs=5e-5)
    assert values["high_quality_all"] == pytest.approx(expected, abs=4 * error)
    assert values["modes"] == values["modes_20"] == values["modes_all"] == 8


def test_a_perfect_sampler_meets_the_floor_of_reverse_kl() -> None:
    found = [kl_from_uniform(counts=occupancy(fake=perfect(2500, s), centres=CENTRES, sigma=SIGMA)) for s in range(40)]
    # 2 n KL is chi-squared with K - 1 = 7 degrees of freedom: mean 7, variance 14
    assert sum(found) / 40 == pytest.approx(7 / 5000, abs=4 * (14 / 40) ** 0.5 / 5000)


def test_counts_over_known_modes() -> None:
    fake = torch.cat([CENTRES[0].expand(30, 2), CENTRES[1].expand(10, 2), torch.zeros(60, 2)])
    values = score(fake=fake, centres=CENTRES, sigma=SIGMA, weights=None)
    assert (values["modes"], values["modes_20"], values["high_quality"]) == (2, 1, 0.4)
    assert values["reverse_kl"] == pytest.approx(0.75 * math.log(0.75 * 8) + 0.25 * math.log(0.25 * 8))


def test_three_sigma_is_outside() -> None:
    fake = torch.tensor([[3.0, 0.0], [2.999, 0.0]])
    assert occupancy(fake=fake, centres=torch.zeros(1, 2), sigma=1.0).tolist() == [1]


def test_one_mode_is_log_k_from_uniform() -> None:
    assert kl_from_uniform(counts=torch.tensor([5, 0, 0, 0])) == pytest.approx(math.log(4))
    assert kl_from_uniform(counts=torch.tensor([5, 5, 5, 5])) == 0


def test_no_high_quality_sample_covers_nothing_and_has_the_largest_divergences() -> None:
    values = score(fake=torch.full((10, 2), 9.0), centres=CENTRES, sigma=SIGMA, weights=None)
    assert values["modes"] == values["high_quality"] == 0
    assert values["reverse_kl"] == values["reverse_kl_all"] == pytest.approx(math.log(8))
    assert values["modes_js"] == values["modes_js_all"] == pytest.approx(math.log(2))


def test_the_literature_counts_the_first_2500() -> None:
    values = score(fake=torch.cat([perfect(2500), torch.zeros(2500, 2)]), centres=CENTRES, sigma=SIGMA, weights=None)
    assert values["high_quality_all"] == pytest.approx(values["high_quality"] / 2)
    assert values["modes"] == values["modes_all"]


def test_modes_far_from_the_origin_are_found() -> None:
    fake, centres = perfect(1000) + 30, CENTRES + 30
    expected = (torch.cdist(fake.double(), centres.double()).min(dim=1).values < 3 * SIGMA).sum()
    assert occupancy(fake=fake, centres=centres, sigma=SIGMA).sum() == expected


@pytest.mark.parametrize(
    ("fake", "sigma", "message"),
    [
        (torch.tensor([[1.0, math.nan]]), SIGMA, "fake is not finite .* in 1 of 1"),
        (torch.zeros(4, 3), SIGMA, "3 dimensions"),
        (torch.zeros(0, 2), SIGMA, "fake is empty"),
        (torch.zeros(4, 2), 0.0, "sigma is 0.0"),
    ],
)
def test_bad_input_is_one_line(fake: torch.Tensor, sigma: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(fake=fake, centres=CENTRES, sigma=sigma, weights=None)


def test_js_of_modes_is_bounded_and_known() -> None:
    assert js_from_uniform(counts=torch.tensor([5, 5, 5, 5])) == 0
    # one mode of two: the mean is 3/4, 1/4
    one_of_two = (math.log(4 / 3) + math.log(2 / 3) / 2 + math.log(2) / 2) / 2
    assert js_from_uniform(counts=torch.tensor([7, 0])) == pytest.approx(one_of_two)
    assert js_from_uniform(counts=torch.tensor([5] + [0] * 10_000)) == pytest.approx(math.log(2), abs=1e-3)


def test_a_perfect_sampler_meets_the_floor_of_js() -> None:
    found = [js_from_uniform(counts=occupancy(fake=perfect(2500, s), centres=CENTRES, sigma=SIGMA)) for s in range(40)]
    # a quarter of reverse KL's, to leading order
    assert sum(found) / 40 == pytest.approx(7 / 20_000, abs=4 * (14 / 40) ** 0.5 / 20_000)


def test_unequal_modes_are_compared_with_their_own_shares() -> None:
    counts, shares = torch.tensor([30, 10]), torch.tensor([0.75, 0.25])
    assert kl_from(counts=counts, shares=shares) == pytest.approx(0, abs=1e-12)
    assert kl_from(counts=counts, shares=1 - shares) == pytest.approx(0.5 * math.log(3))
    assert kl_from(counts=0 * counts, shares=shares) == pytest.approx(math.log(4)), "all in the rarer one"
    fake = CENTRES.repeat_interleave(torch.arange(1, 9), dim=0)  # 1, 2, ..., 8 points in the modes
    told = score(fake=fake, centres=CENTRES, sigma=SIGMA, weights=torch.arange(1, 9) / 36)
    assert told["reverse_kl"] == pytest.approx(0, abs=1e-6) and told["modes_js"] == pytest.approx(0, abs=1e-6)
    untold = score(fake=fake, centres=CENTRES, sigma=SIGMA, weights=None)
    expected = sum(k / 36 * math.log(8 * k / 36) for k in range(1, 9))
    assert untold["reverse_kl"] == pytest.approx(expected)
