"""The kernel distance against its definition and against torch-fidelity; and metrics that share products."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric

from benchmarks.metrics import kernel
from benchmarks.metrics.frechet import frechet_distance
from benchmarks.metrics.kernel import kernel_distance, subset_distances
from benchmarks.metrics.manifold import manifold
from benchmarks.together import together


def by_definition(real: Tensor, fake: Tensor) -> float:
    x, y = (part.numpy().astype(np.longdouble) for part in (real, fake))

    def values(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def others(k: np.ndarray) -> np.longdouble:
        return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))

    return float(others(values(x, x)) + others(values(y, y)) - 2 * values(x, y).mean())


def draw(n: int, dims: int, seed: int) -> Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed))


CASES = {
    "another scale": lambda: (draw(300, 40, 0), 1.2 * draw(250, 40, 1)),
    "one distribution": lambda: (draw(300, 40, 0), draw(250, 40, 1)),
    "few dimensions": lambda: (draw(300, 3, 0), draw(200, 3, 1) + 0.1),
    "far from the origin": lambda: (30 + 0.01 * draw(300, 40, 0), 30 + 0.01 * draw(250, 40, 1)),
    "far from each other": lambda: (draw(200, 40, 0), 10 + 0.01 * draw(200, 40, 1)),
    "float64": lambda: (draw(100, 40, 0).double(), draw(120, 40, 1).double() + 0.1),
    "two samples": lambda: (draw(2, 40, 0), draw(2, 40, 1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("block", [7, 64, 1024])
def test_the_definition_is_met_whatever_the_block_size(case: str, block: int) -> None:
    real, fake = CASES[case]()
    assert kernel_distance(real=real, fake=fake, block=block) == pytest.approx(by_definition(real, fake), rel=1e-5)


def test_the_order_of_samples_does_not_matter() -> None:
    real, fake = CASES["one distribution"]()
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(2))
    assert kernel_distance(real=real[order], fake=fake) == pytest.approx(
        kernel_distance(real=real, fake=fake), rel=1e-6
    )


def test_fresh_data_score_zero_on_average() -> None:
    found = torch.tensor(
        [kernel_distance(real=draw(20, 8, 2 * i) + 1, fake=draw(15, 8, 2 * i + 1) + 1) for i in range(400)]
    )
    assert found.mean().abs() < 4 * found.std() / 20
    assert 0.3 < (found < 0).double().mean() < 0.7


def test_subsets_agree_with_the_whole_and_have_a_spread() -> None:
    real, fake = draw(2000, 24, 0), draw(1500, 24, 1) * 1.1
    parts, whole = subset_distances(real=real, fake=fake), kernel_distance(real=real, fake=fake)
    assert parts.shape == (10,)
    assert parts.mean().item() == pytest.approx(whole, abs=4 * parts.std().item() / math.sqrt(10))
    assert parts.std() > 0
    assert subset_distances(real=real[:19], fake=fake) is None


def test_the_spread_of_the_subsets_is_that_of_a_sample_of_ten() -> None:
    real, fake = draw(60, 8, 0), draw(50, 8, 1)
    given = {"real_features": None, "fake_features": None, "real_inception": real, "fake_inception": fake}
    found, parts = kernel.score(features_of=None, **given), subset_distances(real=real, fake=fake).numpy()
    assert found["kid_subsets"] == pytest.approx(parts.mean()) and found["kid_sd"] == pytest.approx(parts.std(ddof=1))


def test_agrees_with_torch_fidelity() -> None:
    real, fake = draw(400, 64, 0).double(), draw(400, 64, 1).double() * 1.1  # theirs sums in the dtype it is given
    settings = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "rng_seed": 0}
    theirs = kid_features_to_metric(
        fake, real, kid_subsets=1, kid_subset_size=400, kid_kernel_poly_coef0=1, verbose=False, **settings
    )
    ours = kernel_distance(real=real, fake=fake)
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-5)


def test_a_judges_features_are_not_inceptions() -> None:
    real, fake = CASES["another scale"]()
    given = {"real_features": real, "fake_features": fake, "real_inception": None, "fake_inception": None}
    judged, points = kernel.score(features_of="judge", **given), kernel.score(features_of="coordinates", **given)
    assert judged["kid"] is judged["kid_sd"] is None
    rms = real.square().mean().sqrt()
    assert judged["kjd"] == pytest.approx(by_definition(real / rms, fake / rms), rel=1e-5)
    assert set(points.values()) == {None}


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_kjd_has_no_unit_and_kid_is_as_published(unit: float) -> None:
    """Two values +-r: k = (xy / r^2 + 1)^3 is 0 within each set and 8, 0, 0, 8 between them, so 0 + 0 - 2 x 4."""
    x = unit * torch.tensor([[1.0], [-1.0]])
    found = kernel.score(
        real_features=x, fake_features=x.clone(), features_of="judge", real_inception=x, fake_inception=x.clone()
    )
    assert found["kjd"] == pytest.approx(-8)
    within, between = (1 - unit**2) ** 3, ((1 + unit**2) ** 3 + (1 - unit**2) ** 3) / 2
    assert found["kid"] == pytest.approx(2 * within - 2 * between, rel=1e-5)


def test_features_without_a_scale_are_refused() -> None:
    with pytest.raises(ValueError, match="every feature of real is 0"):
        kernel.scaled(real=torch.zeros(4, 3), fake=draw(4, 3, 0))


def test_together_is_each_alone() -> None:
    real, fake = draw(500, 40, 0), draw(450, 40, 1) * 1.05
    found = together(real=real, fake=fake)
    assert found["frechet"] == frechet_distance(real=real, fake=fake)
    assert found["kernel"] == pytest.approx(kernel_distance(real=real, fake=fake), rel=1e-6)
    assert manifold(real=real, fake=fake)._asdict().items() <= found.items()


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (draw(5, 3, 0).log(), draw(5, 3, 1), "real is not finite"),
        (draw(5, 3, 0), draw(1, 3, 1), "fake holds too few samples, 1: give 2"),
        (draw(5, 3, 0), draw(5, 4, 1), "real has 3 dimensions and fake has 4"),
    ],
)
def test_bad_input_is_one_line(real: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernel_distance(real=real, fake=fake)
