"""Clipped density and coverage against their definitions, and as shares of good samples."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import betabinom
from torch import Tensor

from benchmarks.metrics.clipped import clipped, expected
from benchmarks.metrics.manifold import manifold


def by_definition(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (a.double()[:, None] - b.double()[None]).square().sum(dim=-1).sqrt()

    within, between = distance(real, real), distance(real, fake)
    reach = within.clone().fill_diagonal_(math.inf).sort(dim=1).values[:, k - 1]
    small = reach.clamp_max(np.median(reach.numpy()))
    good = ((within <= small[:, None]).sum(dim=0) - 1).clamp_max(k).double().mean()
    fidelity = (between <= small[:, None]).sum(dim=0).clamp_max(k).double().mean()
    covered = (between < reach[:, None]).sum(dim=1).clamp_max(k).double().mean().item() / k
    n, m = len(real), len(fake)
    values = [betabinom.expect(lambda j: np.minimum(j, k), (s, k, n - k)) / k if s else 0.0 for s in range(m + 1)]
    return min(1.0, (fidelity / good).item()), float(np.interp(covered, values, np.arange(m + 1) / m))


def draw(n: int, dims: int, seed: int) -> Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("block", [7, 1024])
@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (draw(101, 4, 0), draw(60, 4, 1) * 0.8),
        (draw(100, 20, 0), draw(60, 20, 1) * 1.3),
        ((draw(120, 2, 0) * 3).round(), (draw(50, 2, 1) * 3).round()),
        (30 + 0.01 * draw(80, 24, 0), 30 + 0.011 * draw(60, 24, 1)),
    ],
    ids=["odd", "even", "ties", "far from the origin"],
)
def test_the_definition_is_met_whatever_the_block_size(real: Tensor, fake: Tensor, block: int) -> None:
    assert clipped(real=real, fake=fake, block=block) == pytest.approx(by_definition(real, fake), abs=1e-12)


@pytest.mark.parametrize(("real", "fake", "k"), [(6, 10, 5), (50, 30, 5), (1000, 400, 3)])
def test_the_expectation_is_that_of_the_beta_binomial(real: int, fake: int, k: int) -> None:
    found = expected(real, fake, k)
    assert found.shape == (fake + 1,)
    assert found[0] == pytest.approx(0, abs=1e-12)
    for m in (1, 2, fake // 2, fake):
        mass = betabinom.pmf(np.arange(m + 1), m, k, real - k)
        assert found[m] == pytest.approx((np.minimum(np.arange(m + 1), k) * mass).sum() / k, rel=1e-9)
    assert (np.diff(found) > 0).all()


def test_equal_sets_score_one() -> None:
    x = draw(300, 16, 0)
    assert clipped(real=x, fake=x.flip(0)) == (1, 1)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_good_samples_is_found(share: float) -> None:
    draws, n = 12, 400
    bad = torch.arange(n)[:, None] >= share * n
    found = torch.tensor(
        [clipped(real=draw(n, 8, 2 * i), fake=torch.where(bad, 100.0, draw(n, 8, 2 * i + 1))) for i in range(draws)]
    )
    error = found.std(dim=0) / draws**0.5
    assert (found.mean(dim=0) - share).abs().lt(4 * error + 0.01).all()


def test_outliers_raise_density_and_not_the_clipped_one() -> None:
    """The balls of six outliers are as large as the void around the data, and the samples lie in the void."""
    real = torch.cat([draw(500, 4, 0), 60 * draw(6, 4, 2)])
    fake = 20 * draw(500, 4, 1)
    assert manifold(real=real, fake=fake).density > 0.2
    assert clipped(real=real, fake=fake)[0] < 0.02


def test_a_collapsed_generator_covers_nothing() -> None:
    real = draw(400, 4, 0)
    order = real.norm(dim=1).argsort()
    for place, dense in ((0, True), (-1, False)):  # onto a sample in the middle of the others, and the outermost
        density, coverage = clipped(real=real, fake=real[order[place]].expand(400, 4))
        assert coverage < 0.05
        assert density == 1 if dense else density < 0.5


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (draw(5, 2, 0), draw(50, 2, 1), "real holds too few samples, 5: give 6"),
        (draw(50, 2, 0), draw(50, 3, 1), "2 dimensions and fake has 3"),
        (draw(50, 2, 0), draw(50, 2, 1).log(), "fake is not finite"),
    ],
)
def test_bad_input_is_one_line(real: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clipped(real=real, fake=fake)
