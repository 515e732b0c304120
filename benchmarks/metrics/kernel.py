"""Kernel distance: the squared maximum mean discrepancy of features under a cubic kernel.

M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", 2018, arXiv:1801.01401, there the kernel
inception distance: k(x, y) = (x'y / D + 1)^3, and the unbiased U-statistic, which is 0 on average for fresh data and so
falls below 0 half the time. The column's name says whose features they are: `kid` is of Inception's only, `kjd` of the
judge's.
`kid` is as published, of features as they are: its values compare with other papers' (times 1,000 in some). `kjd` is of
features divided by the root mean square of all held-out ones, D numbers each, since a judge's have no scale of their
own and the distance grows with its sixth power.
Departure: the main value takes every pair of samples, not random subsets; the subsets, whose mean and deviation are
stated beside it, are ten disjoint tenths of both sets, drawn by lot.
Values are summed in float64 less the kernel of the real mean with itself, so that features far from the origin do not
cancel; the products come from float32, whose rounding leaves about seven digits.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column, Direction
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import draw
from benchmarks.metrics.common.neighbours import BLOCK, Block, Cloud, blocks, clouds
from benchmarks.metrics.common.undefined import Undefined

SUBSETS = 10

_WAYS: tuple[tuple[str, str, Direction | None, str], ...] = (
    ("", "", "lower", "Squared MMD of {}, cubic kernel, unbiased over all pairs; below 0 half the time for "
     "fresh data."),
    ("_subsets", ", subsets", "lower", "Mean of the same over ten disjoint tenths of both sets, {}; n/a with "
     "fewer than 20 samples."),
    ("_sd", ", s.d.", None, "Standard deviation of the same over the ten tenths, {}; n/a with fewer than 20 "
     "samples."),
)  # fmt: skip

COLUMNS = tuple(
    Column(f"{name}{suffix}", f"{label}{part}", direction, 5, main=False, note=note.format(whose))
    for name, label, whose in (
        ("kjd", "KJD", "the judge's features scaled to a root mean square of 1 of the held-out ones"),
        ("kid", "KID", "Inception's features as they are"),
    )
    for suffix, part, direction, note in _WAYS
)


def score(
    *,
    real_features: Tensor | None,
    fake_features: Tensor | None,
    features_of: str | None,
    real_inception: Tensor | None,
    fake_inception: Tensor | None,
) -> dict[str, float | None]:
    judged: tuple[Tensor | None, Tensor | None] = (None, None)
    if features_of == "judge" and real_features is not None and fake_features is not None:
        judged = scaled(real=real_features, fake=fake_features)
    return _values("kjd", *judged) | _values("kid", real_inception, fake_inception)


def _values(name: str, real: Tensor | None, fake: Tensor | None) -> dict[str, float | None]:
    if real is None or fake is None:
        return {name: None, f"{name}_subsets": None, f"{name}_sd": None}
    whole, parts = kernel_distance(real=real, fake=fake), subset_distances(real=real, fake=fake)
    mean, sd = (None, None) if parts is None else (parts.mean().item(), parts.std().item())
    return {name: whole, f"{name}_subsets": mean, f"{name}_sd": sd}


def scaled(*, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets over the root mean square of all numbers in the real one."""
    check_pair(real=real, fake=fake, least=2)
    rms = real.double().square().mean().sqrt()
    if rms == 0:
        raise Undefined("every feature of real is 0: features without a scale have no kernel distance")
    return real.double() / rms, fake.double() / rms


def kernel_distance(*, real: Tensor, fake: Tensor, block: int = BLOCK) -> float:
    """Mean kernel within (N, D) real, plus within (n, D) generated, less twice between them; no sample with itself."""
    check_pair(real=real, fake=fake, least=2)
    sums = KernelSums(real)
    for x, mean in ((real, sums.real), (fake, sums.fake)):
        (cloud,) = clouds(x)
        for pairs in blocks(cloud, cloud, size=block, upper=True):
            mean.add(pairs)
    for pairs in blocks(*clouds(real, fake), size=block):
        sums.between.add(pairs)
    return sums.distance()


def subset_distances(*, real: Tensor, fake: Tensor) -> Tensor | None:
    """The distance over each of ten disjoint parts of both sets, (10,) float64; None where a part has no pair."""
    sizes = [len(x) // SUBSETS for x in (real, fake)]
    if min(sizes) < 2:
        return None
    parts = (draw(x, SUBSETS * size).view(SUBSETS, size) for x, size in zip((real, fake), sizes, strict=True))
    found = [kernel_distance(real=real[a], fake=fake[b]) for a, b in zip(*parts, strict=True)]
    return torch.tensor(found, dtype=torch.float64)


class KernelSums:
    """The three means that the distance is made of, gathered from blocks of pairs as they come."""

    def __init__(self, real: Tensor) -> None:
        base = 1 + real.mean(dim=0, dtype=torch.float64).square().mean().item()
        self.real, self.fake, self.between = (KernelMean(base) for _ in range(3))

    def distance(self) -> float:
        return self.real.value() + self.fake.value() - 2 * self.between.value()


class KernelMean:
    """Mean of k(x, y) - base^3 over pairs of samples; a block above the diagonal stands for the one below it too."""

    def __init__(self, base: float) -> None:
        self.base, self.total, self.pairs = base, 0.0, 0

    def value(self) -> float:
        return self.total / self.pairs

    def add(self, block: Block) -> None:
        within = block.a is block.b
        diagonal = within and block.rows == block.cols
        v = self._inner(block)  # x'y / D + 1 - base
        if diagonal:
            v.fill_diagonal_(0)  # whose cube less base^3 is 0 as well
        cubes = torch.dot(((v + 3 * self.base).mul_(v).add_(3 * self.base**2)).flatten(), v.flatten()).item()
        weight = 2 if within and not diagonal else 1
        self.total += weight * cubes
        self.pairs += weight * v.numel() - (len(v) if diagonal else 0)

    def _inner(self, block: Block) -> Tensor:
        a, b, dims = block.a, block.b, block.a.points.shape[1]
        rest = 1 - self.base + a.origin.square().mean().item()
        left, right = self._own(a)[block.rows] + rest, self._own(b)[block.cols]
        return torch.add(left[:, None], block.low, alpha=-(a.scale**2) / (2 * dims)).add_(right)

    def _own(self, cloud: Cloud) -> Tensor:
        """A sample's part in all its inner products, by |a - b|^2 = |a|^2 + |b|^2 - 2ab about an origin."""
        norm = (cloud.norm - cloud.slack).double() * (cloud.scale**2 / 2)
        return (norm + cloud.along) / cloud.points.shape[1]  # (n,)
