"""The floors of params.yaml, worked out anew from what the rule beside them says."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks import datasets
from pipeline import floors, params

ROOT = Path(__file__).parents[1]
PARAMS = params.Params(ROOT)


def gaussian(centres: np.ndarray, sigma: float, points: int = 401) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One Gaussian with the mixture's moments, on a grid: variances, points and their weights."""
    variance = (centres**2).mean(0) + sigma**2  # the mixtures' means are 0, their axes uncorrelated
    line = np.linspace(-5, 5, points)
    weights = np.exp(-(line**2) / 2)
    x = np.stack(np.meshgrid(*(line * math.sqrt(each) for each in variance), indexing="ij"), -1).reshape(-1, 2)
    every = np.outer(weights, weights).ravel()
    return variance, x, every / every.sum()


def transport(centres: np.ndarray, x: np.ndarray, weights: np.ndarray) -> float:
    """W1 between equal masses at ``centres`` and a density, by its dual: a price on each centre."""
    apart = np.linalg.norm(x[:, None] - centres, axis=-1)

    def dual(prices: np.ndarray) -> tuple[float, np.ndarray]:
        cost = apart - prices
        share = np.bincount(cost.argmin(1), weights, len(centres))
        return -(weights @ cost.min(1) + prices.mean()), share - 1 / len(centres)

    return -minimize(dual, np.zeros(len(centres)), jac=True, method="L-BFGS-B").fun


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_floors_of_toys(name: str, modes: int, tmp_path: Path) -> None:
    truth = datasets.load(name, tmp_path, {"train": 8, "validation": 8, "test": 8}).truth
    assert truth is not None
    centres = truth.centres.double().numpy()
    variance, x, weights = gaussian(centres, truth.sigma)
    found = PARAMS.benchmark(name).floors
    assert len(centres) == modes and found["reverse_kl"] == pytest.approx(math.log(modes), abs=5e-4)
    assert PARAMS.benchmark(f"{name}_pacgan").floors["reverse_kl"] == found["reverse_kl"]
    entropy = 1 + math.log(2 * math.pi) + np.log(variance).sum() / 2  # = cross-entropy, as the moments are the same
    assert found["nats"] == pytest.approx(entropy, abs=5e-4)
    assert found["w1"] == pytest.approx(transport(centres, x, weights), rel=5e-3)


def test_a_kl_starts_at_the_logarithm_of_the_classes_and_a_share_at_nothing() -> None:
    assert PARAMS.benchmark("digits").floors["class_kl"] == pytest.approx(math.log(10), abs=5e-4)
    assert PARAMS.benchmark("stacked_digits").floors["stacked_kl"] == pytest.approx(math.log(1000), abs=5e-4)
    for name in PARAMS.benchmarks():
        found = PARAMS.benchmark(name).floors
        shares = {"modes", "high_quality", "coverage", "precision", "recall"} & found.keys()
        assert {found[each] for each in shares} <= {0}


def test_a_floor_that_fits_nothing_is_named_before_anything_runs() -> None:
    ring = PARAMS.benchmark("ring")
    columns = [*ring.floors, "fjd"]
    floors.check(ring, columns, [])
    for wrong, message in (
        (
            {"floors": {"modess": 0.0}},
            "params.yaml: toys.floors.modess: unknown column 'modess'; did you mean 'modes'?",
        ),
        (
            {"floors": {"fjd": "indep"}},
            "params.yaml: toys.floors.fjd: unknown contestant 'indep'; did you mean 'independent'?",
        ),
        ({"ranked": ["fjd"]}, "params.yaml: toys.ranked: unknown column with a floor in ring 'fjd'"),
    ):
        with pytest.raises(ValueError, match=r"toys") as caught:
            floors.check(ring.model_copy(update=wrong), columns, ["independent", "vae"])
        assert message in str(caught.value)
    with pytest.raises(ValueError, match="finite"):
        params.validated(params.Folder, {**FOLDER, "floors": {"w1": math.nan}}, Path("benchmark.yaml"))


FOLDER = {"kind": "toys", "dataset": "ring", "data": {}, "training": {}, "evaluation": {}}
