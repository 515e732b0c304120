"""Speed of the metrics against torch-fidelity and prdc: the same features, alternating runs in one process.

10,000 real and 10,000 generated samples unless said. `make speed` prints the ratios; a shortfall fails.
"""

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
import torch
from prdc import compute_prdc
from test_inception import Untrained
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from benchmarks.inception import Inception
from benchmarks.metrics.common.neighbours import blocks, clouds
from benchmarks.metrics.frechet import frechet_distance
from benchmarks.metrics.manifold import manifold
from benchmarks.together import together

ROUNDS = 3
KID = {
    "kid_subsets": 100, "kid_subset_size": 1000, "kid_kernel": "poly", "kid_kernel_poly_degree": 3,
    "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1, "rng_seed": 0,
}  # fmt: skip


def features(n: int, dims: int) -> tuple[Tensor, Tensor]:
    """Correlated and not negative, as those of a net."""
    rng = torch.Generator().manual_seed(0)
    mix = torch.randn(dims, dims, generator=rng) / dims**0.5
    real, fake = (torch.relu(torch.randn(n, dims, generator=rng) @ mix + shift) for shift in (0, 0.05))
    return real, fake


def compare(name: str, theirs: Callable[[], object], ours: Callable[[], object], target: float) -> None:
    """Alternate the two, A B A B, and ask for the median of the ratios."""
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(ROUNDS):
        for label, work in (("theirs", theirs), ("ours", ours)):
            began = time.perf_counter()
            work()
            times[label].append(time.perf_counter() - began)
    ratios = [a / b for a, b in zip(times["theirs"], times["ours"], strict=True)]
    took = ", ".join(f"{label} {median(found):.2f} s" for label, found in times.items())
    print(f"\n{name}: {median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f}; {took}), wanted {target}x")
    assert median(ratios) >= target


def fid(real: Tensor, fake: Tensor) -> float:
    statistics = fid_features_to_statistics(real), fid_features_to_statistics(fake)
    return fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]


def kid(real: Tensor, fake: Tensor) -> dict[str, float]:
    return kid_features_to_metric(fake, real, verbose=False, **KID)


def precision_recall(real: Tensor, fake: Tensor) -> dict[str, float]:
    settings = {"prc_neighborhood": 3, "prc_batch_size": 10_000, "save_cpu_ram": False}
    return prc_features_to_metric(fake, real, verbose=False, **settings)


@pytest.mark.parametrize(("n", "target"), [(10_000, 2), (1000, 15)])
def test_frechet(n: int, target: float) -> None:
    real, fake = features(n, 2048)
    compare(
        f"Frechet, n = {n}, D = 2048, against torch-fidelity",
        lambda: fid(real, fake),
        lambda: frechet_distance(real=real, fake=fake),
        target,
    )


@pytest.mark.parametrize(("dims", "target"), [(2048, 1.7), (128, 4)])
def test_manifold_against_torch_fidelity(dims: int, target: float) -> None:
    real, fake = features(10_000, dims)
    compare(
        f"precision, recall, density, coverage, D = {dims}, against torch-fidelity's precision and recall",
        lambda: precision_recall(real, fake),
        lambda: manifold(real=real, fake=fake),
        target,
    )


def test_manifold_against_prdc() -> None:
    real, fake = features(10_000, 2048)
    compare(
        "precision, recall, density, coverage, D = 2048, against prdc",
        lambda: compute_prdc(real.numpy(), fake.numpy(), nearest_k=5),
        lambda: manifold(real=real, fake=fake),
        5,
    )


def test_manifold_is_mostly_its_products() -> None:
    """What no code can go below: within either set half of the pairs, between the sets all."""
    n, dims = 10_000, 2048
    real, fake = features(n, dims)
    one, two = clouds(real, fake)

    def products() -> None:
        for pairs in blocks(one, one, upper=True), blocks(two, two, upper=True), blocks(one, two):
            deque(pairs, maxlen=0)

    began = time.perf_counter()
    products()
    rate = 4 * n**2 * dims / (time.perf_counter() - began) / 1e9
    print(f"\nproducts of pairs, D = {dims}: {rate:.0f} GFLOP/s", end="")
    whole = "products alone against precision, recall, density, coverage"
    compare(whole, products, lambda: manifold(real=real, fake=fake), 0.6)


def test_together() -> None:
    real, fake = features(10_000, 2048)
    compare(
        "Frechet, kernel, precision, recall, density, coverage together, against torch-fidelity's first four",
        lambda: (
            fid(real, fake),
            kid_features_to_metric(fake, real, verbose=False, **KID),
            precision_recall(real, fake),
        ),
        lambda: together(real=real, fake=fake),
        2.5,
    )


MEMORY = """
import re, torch
from pathlib import Path
from benchmarks.metrics.manifold import manifold
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
real, fake = torch.rand(2, 10_000, 2048)
manifold(real=real[:100], fake=fake[:100])  # libraries and their buffers
before = peak()
manifold(real=real, fake=fake)
print(peak() - before)
"""


def test_manifold_memory() -> None:
    command = [sys.executable, "-c", MEMORY]
    used = float(
        subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True).stdout
    )
    print(f"\nprecision, recall, density, coverage, D = 2048: {used:.0f} MiB over the inputs, at most 400 wanted")
    assert used <= 400


def test_inception(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "none.pth")
    untrained = Untrained("random", ["2048"], feature_extractor_weights_path=tmp_path / "none.pth")
    torch.save(untrained.state_dict(), tmp_path / "random.pth")
    theirs = FeatureExtractorInceptionV3("theirs", ["2048"], feature_extractor_weights_path=tmp_path / "random.pth")
    exact, rough = (Inception(tmp_path / "random.pth", sha256="", precision=name) for name in ("fp32", "bf16"))
    x = torch.randint(0, 256, (64, 3, 8, 8), generator=torch.Generator().manual_seed(0)).repeat_interleave(4, 2)
    levels = x.repeat_interleave(4, 3).to(torch.uint8)  # (64, 3, 32, 32)
    images = levels.float() / 127.5 - 1
    (a, _), (b, _), (c,) = exact(images), rough(images), theirs(levels)
    print(f"\nInception, random weights: features differ by {(a - c).norm() / c.norm():.1e} (fp32)", end=" ")
    print(f"and {(b - c).norm() / c.norm():.1e} (bf16)", end="; ")
    distances = [frechet_distance(real=part[:32], fake=part[32:]) for part in (c, a, b)]
    print("FID of two halves: torch-fidelity {:.5g}, fp32 {:.5g}, bf16 {:.5g}".format(*distances))
    for precision, extract, target in (("fp32", exact, 1), ("bf16", rough, 4)):
        compare(
            f"Inception, 64 images, {precision}, against torch-fidelity's",
            lambda: theirs(levels),  # 64 at once is its default
            lambda extract=extract: extract(images, 8),  # activations of 8 stay in the cache
            target,
        )
