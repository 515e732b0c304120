"""The Frechet distance meets its closed form: rotated, non-commuting and rank-deficient covariances, few samples."""

import math

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from benchmarks.metrics.common.undefined import Undefined
from benchmarks.metrics.frechet import frechet_distance, infinite, score


def white(n: int, dims: int, seed: int) -> Tensor:
    """Samples whose mean is exactly 0 and whose covariance (ddof = 1) is exactly 1."""
    x = torch.randn(n, dims, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = x - x.mean(dim=0)
    return torch.linalg.qr(x).Q * (n - 1) ** 0.5


def rotation(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def trace_root_2x2(a: Tensor, b: Tensor) -> float:
    """tr (ab)^(1/2) of two 2 x 2 covariances, from the trace and the determinant of the product."""
    product = a @ b
    return math.sqrt(product.trace() + 2 * math.sqrt(max(0.0, torch.linalg.det(product).item())))


def test_equal_sets_are_at_distance_zero() -> None:
    x = torch.randn(500, 20, generator=torch.Generator().manual_seed(0))
    for real in (x, x[:10], x[:, :1], x @ torch.ones(20, 20)):  # the last is of rank 1
        assert frechet_distance(real=real, fake=real.clone()) < 1e-9 * real.double().square().mean() * 20


def test_a_shift_counts_squared() -> None:
    x = white(100, 3, 0)
    shift = torch.tensor([1.0, -2.0, 2.0])
    assert frechet_distance(real=x, fake=x + shift) == pytest.approx(9)


def test_scales_along_the_axes() -> None:
    a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 0.5, 3.0])
    assert frechet_distance(real=white(50, 3, 0) * a, fake=white(80, 3, 1) * b) == pytest.approx(1 + 2.25)


@pytest.mark.parametrize("angle", [0.1, 0.7, math.pi / 2, 2.0])
def test_rotated_covariances_that_do_not_commute(angle: float) -> None:
    roots = torch.diag(torch.tensor([3.0, 0.2], dtype=torch.float64)), torch.diag(torch.tensor([1.0, 2.0])).double()
    a, b = roots[0].square(), rotation(angle) @ roots[1].square() @ rotation(angle).T
    real, fake = white(60, 2, 0) @ roots[0], white(40, 2, 1) @ roots[1] @ rotation(angle).T
    expected = a.trace() + b.trace() - 2 * trace_root_2x2(a, b)
    assert frechet_distance(real=real, fake=fake) == pytest.approx(expected.item(), rel=1e-9)
    assert frechet_distance(real=fake, fake=real) == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("n", [5, 200])
def test_rank_deficient_covariances(n: int) -> None:
    rng = torch.Generator().manual_seed(2)
    a, b = torch.randn(2, 30, generator=rng, dtype=torch.float64)
    real, fake = white(n, 1, 0) * a, white(n, 1, 1) * b  # covariances aa' and bb'
    expected = a.square().sum() + b.square().sum() - 2 * (a @ b).abs()
    assert frechet_distance(real=real, fake=fake) == pytest.approx(expected.item(), rel=1e-7)


def test_a_constant_feature_changes_nothing() -> None:
    real, fake = white(50, 3, 0), white(50, 3, 1) * 2
    padded = [torch.cat([x, torch.full((50, 4), 7.0)], dim=1) for x in (real, fake)]
    assert frechet_distance(real=padded[0], fake=padded[1]) == pytest.approx(frechet_distance(real=real, fake=fake))


def test_fewer_samples_than_dimensions_is_exact() -> None:
    """Turning and padding with zeros moves no sample relative to another, so no distance changes."""
    real, fake = white(40, 6, 0), white(30, 6, 1) * torch.arange(1.0, 7.0) + 1
    turn = torch.linalg.qr(torch.randn(300, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).Q
    expected = frechet_distance(real=real, fake=fake)
    assert frechet_distance(real=real @ turn.T, fake=fake @ turn.T) == pytest.approx(expected, rel=1e-6)


def corners(scales: Tensor) -> Tensor:
    """The corners of a box: the covariance (ddof = 1) is exactly the squared half sides, times n / (n - 1)."""
    return torch.cartesian_prod(*(torch.tensor([-1.0, 1.0], dtype=torch.float64),) * len(scales)) * scales


def test_a_large_spread_in_one_direction_takes_no_digits_from_the_others() -> None:
    """(1e5 - 1e5)^2 + 7 (3 - 1)^2, times 256/255; what is left is 1e10, the sum of squares, to float64's 16 digits."""
    real, fake = (corners(torch.tensor([1e5] + 7 * [side], dtype=torch.float64)) for side in (1, 3))
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    found = frechet_distance(real=real @ turn.T, fake=fake @ turn.T)
    assert found == pytest.approx(28.109803921568627, abs=1e10 * 16 * 2**-52)
    assert pytest.approx(7 * (3 - 1) ** 2 * 256 / 255, rel=1e-15) == 28.109803921568627


def test_a_wide_feature_hides_no_change_in_narrow_ones() -> None:
    """23 features whose s.d. goes from 1 to 1.1 beside one of 2e4: 23 x 0.1^2."""
    wide = torch.tensor([2e4] + 23 * [1.0], dtype=torch.float64)
    narrow = torch.tensor([2e4] + 23 * [1.1], dtype=torch.float64)
    found = frechet_distance(real=white(500, 24, 0) * wide, fake=white(400, 24, 1) * narrow)
    assert found == pytest.approx(0.23, abs=4e8 * 16 * 2**-52)


@pytest.mark.parametrize("n", [5, 50])
def test_large_numbers_keep_their_digits_until_their_squares_overflow(n: int) -> None:
    real, fake = white(n, 5, 0), white(n, 5, 1) * 2
    found = frechet_distance(real=1e140 * real, fake=1e140 * fake)
    assert found == pytest.approx(1e280 * frechet_distance(real=real, fake=fake), rel=1e-9)
    with pytest.raises(Undefined, match=r"fake reaches .*e\+200, whose square overflows: give numbers up to 1e"):
        frechet_distance(real=real, fake=1e200 * fake)


@pytest.mark.parametrize("n", [9000, 20_000])
def test_blocks_of_samples_make_no_difference(n: int) -> None:
    rng = torch.Generator().manual_seed(1)
    real, fake = (torch.randn(n, 3, generator=rng) @ torch.randn(3, 3, generator=rng) for _ in range(2))
    theirs = fid_statistics_to_metric(fid_features_to_statistics(real), fid_features_to_statistics(fake), False)
    assert frechet_distance(real=real, fake=fake) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


def test_few_real_and_many_generated_samples() -> None:
    rng = torch.Generator().manual_seed(4)
    real, fake = torch.randn(12, 20, generator=rng).double(), torch.randn(500, 20, generator=rng).double()
    values, vectors = torch.linalg.eigh(real.T.cov())
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    trace = torch.linalg.eigvalsh(root @ fake.T.cov() @ root).clamp_min(0).sqrt().sum()
    expected = (real.mean(0) - fake.mean(0)).square().sum() + real.var(0).sum() + fake.var(0).sum() - 2 * trace
    assert frechet_distance(real=real, fake=fake) == pytest.approx(expected.item(), rel=1e-6)


def test_far_from_the_origin_is_the_float64_answer() -> None:
    rng = torch.Generator().manual_seed(5)
    real, fake = (30 + 0.01 * torch.randn(400, 8, generator=rng) for _ in range(2))
    near = frechet_distance(real=real.double() - 30, fake=fake.double() - 30)
    assert frechet_distance(real=real, fake=fake) == pytest.approx(near, rel=1e-9)


def test_agrees_with_torch_fidelity() -> None:
    rng = torch.Generator().manual_seed(6)
    mix = torch.randn(16, 16, generator=rng)
    real, fake = torch.randn(700, 16, generator=rng) @ mix, torch.randn(600, 16, generator=rng) + 0.3
    theirs = fid_statistics_to_metric(fid_features_to_statistics(real), fid_features_to_statistics(fake), False)
    assert frechet_distance(real=real, fake=fake) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


@pytest.mark.parametrize("n", [8, 50])
def test_float64_samples_are_left_as_they_were(n: int) -> None:
    real, fake = white(n, 1, 0) + torch.arange(1.0, 21.0), white(n, 1, 1) + torch.arange(2.0, 22.0)
    before = real.clone(), fake.clone()
    frechet_distance(real=real, fake=fake)
    assert torch.equal(real, before[0]) and torch.equal(fake, before[1])


def test_fresh_data_are_at_no_distance_with_infinitely_many_samples() -> None:
    """The distance itself is biased by far more than its spread, and what is left of that has no bias."""
    rng, draws = torch.Generator().manual_seed(7), 100
    mix, found = torch.randn(16, 16, generator=rng), []
    for _ in range(draws):
        real, fake = torch.randn(400, 16, generator=rng) @ mix, torch.randn(300, 16, generator=rng) @ mix
        distance = frechet_distance(real=real, fake=fake)
        found.append((distance, infinite(distance, real=real, fake=fake)))
    distances, limits = torch.tensor(found).T
    error = limits.std() / draws**0.5
    assert distances.mean() > 20 * error
    assert limits.mean().abs() < 4 * error + 0.03 * distances.mean()  # the line is the first term of a series


def test_a_shift_is_left_by_the_extrapolation() -> None:
    rng = torch.Generator().manual_seed(8)
    real, fake = torch.randn(20_000, 4, generator=rng), torch.randn(20_000, 4, generator=rng) + 1
    distance = frechet_distance(real=real, fake=fake)
    assert infinite(distance, real=real, fake=fake) == pytest.approx(4, abs=0.1)


def test_the_order_that_samples_stand_in_does_not_matter_to_the_halves() -> None:
    real = torch.randn(4000, 1, generator=torch.Generator().manual_seed(9)).sort(dim=0).values
    assert infinite(0.0, real=real, fake=real.flip(0)) == pytest.approx(0, abs=0.02)


def test_too_few_samples_are_not_extrapolated() -> None:
    real, fake = white(100, 10, 0), white(59, 10, 1)
    assert infinite(1.0, real=real, fake=fake) is None
    assert infinite(1.0, real=real, fake=white(60, 10, 1)) is not None


def test_the_columns_name_the_extractor() -> None:
    x, y = white(90, 3, 0), white(90, 3, 1) * 2
    nothing = {"real_features": None, "fake_features": None, "real_inception": None, "fake_inception": None}
    for of, column in (("judge", "fjd"), ("coordinates", "fd")):
        found = score(features_of=of, **(nothing | {"real_features": x, "fake_features": y}))
        assert {name for name, value in found.items() if value is not None} == {column, f"{column}_infinite"}
    found = score(features_of="judge", **(nothing | {"real_inception": x, "fake_inception": y}))
    assert {name for name, value in found.items() if value is not None} == {"fid", "fid_infinite"}


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(5, 3), torch.tensor([[1.0, 2.0, math.nan]] * 4), "fake is not finite .* in 4 of 4"),
        (torch.full((5, 3), math.inf), torch.zeros(5, 3), "real is not finite"),
        (torch.zeros(5, 3), torch.zeros(5, 4), "real has 3 dimensions and fake has 4"),
        (torch.zeros(5, 3), torch.zeros(1, 3), "fake holds too few samples, 1: give 2"),
        (torch.zeros(5, 3, 8), torch.zeros(5, 3), r"real has the shape \(5, 3, 8\)"),
    ],
)
def test_bad_input_is_one_line(real: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frechet_distance(real=real, fake=fake)
