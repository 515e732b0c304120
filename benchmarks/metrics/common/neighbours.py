"""Nearest neighbours and balls, decided as float64 differences decide them, at nearly the speed of float32 products.

|a - b|^2 = |a|^2 + |b|^2 - 2ab is one matrix product for a whole block of pairs, but in float32 it cancels. So the
product only screens: each pair's rounding error is bounded (N. J. Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, Section 3.1), and the few pairs that the bound leaves open are computed anew as float64 differences.
What is returned therefore depends neither on the block size nor on the order of the samples; memory is linear in
samples. Distances squared that agree to twelve digits count as equal, so that a tie stays a tie however it was summed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 1024  # samples on a side of a block of pairs
FEW = 16  # dimensions up to which products are cheap: screened in float64, dense points need no second look
SPARE = 4  # neighbours screened beyond those asked for
TIE = 1e-12  # relative difference of squared distances that are equal
CHUNK = 2**19  # numbers converted to float64 at once


@dataclass(frozen=True, eq=False)
class Cloud:
    """A set of samples, and the same about an origin and at a scale where squares neither cancel nor overflow."""

    points: Tensor  # (n, D) as given
    rough: Tensor  # (n, D)
    norm: Tensor  # (n,) squared norms of `rough`
    slack: Tensor  # (n,) a pair's screened distance is wrong by less than the sum of its two
    origin: Tensor  # (D,) float64
    scale: float  # points = origin + scale * rough

    @cached_property
    def along(self) -> Tensor:
        """(n,) inner products of points - origin with the origin, float64."""
        return torch.cat([(part.double() - self.origin) @ self.origin for part in _parts(self.points)])


def clouds(*sets: Tensor) -> tuple[Cloud, ...]:
    """The sets about the mean of the first of them."""
    first = sets[0]
    origin = torch.stack([part.double().sum(dim=0) for part in _parts(first)]).sum(dim=0) / len(first)
    radii = [torch.linalg.vector_norm(part.double() - origin, dim=1).max() for x in sets for part in _parts(x)]
    scale = torch.stack(radii).max().item() or 1.0
    return tuple(_cloud(x, origin, scale) for x in sets)


def _cloud(x: Tensor, origin: Tensor, scale: float) -> Cloud:
    rough = torch.empty_like(x, dtype=screening_dtype(x.shape[1]))
    for part, own in zip(_parts(rough), _parts(x), strict=True):
        part.copy_((own.double() - origin) / scale)
    norm = torch.linalg.vector_norm(rough, dim=1).square()
    unit = torch.finfo(rough.dtype).eps / 2
    # bounds (|a| + |b|)^2 <= 2 (|a|^2 + |b|^2); the last term is for squares that underflow
    return Cloud(x, rough, norm, 2 * (x.shape[1] + 16) * unit * norm + 1e-35, origin, scale)


def screening_dtype(dims: int) -> torch.dtype:
    """float32, unless torch was told that products of float32 may round to fewer bits, which voids the bound."""
    if dims <= FEW:
        return torch.float64
    try:
        return torch.float32 if torch.get_float32_matmul_precision() == "highest" else torch.float64
    except RuntimeError:  # set through torch's newer interface, which this question does not cover
        return torch.float64


def _parts(x: Tensor) -> tuple[Tensor, ...]:
    return x.split(max(1, CHUNK // x.shape[1]))


class Block(NamedTuple):
    """All pairs of some samples of one cloud with some of another."""

    a: Cloud
    b: Cloud
    rows: slice
    cols: slice
    low: Tensor  # (rows, cols) squared rough distances, at most the true ones

    def near(self, *limits: Tensor) -> "Near":
        """The pairs that may lie within one of the limits, (rows, 1) or (1, cols) squared distances in float64."""
        unit = torch.finfo(self.low.dtype).eps
        at_most = [(limit / self.a.scale**2 * (1 + 4 * unit)).to(self.low.dtype) for limit in limits]
        row, col = reduce(torch.logical_or, [self.low <= limit for limit in at_most]).nonzero(as_tuple=True)
        return Near(self.a, self.b, row + self.rows.start, col + self.cols.start, self.low[row, col])


class Near(NamedTuple):
    """Some pairs of a sample of one cloud with one of another."""

    a: Cloud
    b: Cloud
    i: Tensor  # (pairs,)
    j: Tensor
    low: Tensor  # squared rough distances, at most the true ones

    def within(self, limit: Tensor, *, closed: bool) -> tuple[Tensor, Tensor]:
        """Indices (i, j) of the pairs with squared distance < `limit` (pairs,) float64, or <= if closed."""
        unit = torch.finfo(self.low.dtype).eps
        rough = limit / self.a.scale**2
        maybe = self.low <= rough * (1 + 4 * unit)
        high = self.low + 2 * (self.a.slack[self.i] + self.b.slack[self.j])
        inside = high.double() * (1 + 4 * unit) < rough
        open_ = maybe & ~inside
        distance = squared(self.a.points, self.b.points, self.i[open_], self.j[open_])
        limit = limit[open_]
        inside[open_] = distance <= limit * (1 + TIE) if closed else distance < limit * (1 - TIE)
        return self.i[inside], self.j[inside]


def blocks(a: Cloud, b: Cloud, *, size: int = BLOCK, upper: bool = False) -> Iterator[Block]:
    """All pairs of a sample of `a` with one of `b`, block by block; `upper` leaves out blocks below the diagonal."""
    for top in range(0, len(a.rough), size):
        rows = slice(top, min(top + size, len(a.rough)))
        left_factor = _packed(-2 * a.rough[rows])
        for left in range(top if upper else 0, len(b.rough), size):
            cols = slice(left, min(left + size, len(b.rough)))
            low = F.linear(left_factor, b.rough[cols], (b.norm - b.slack)[cols]).to_dense()
            yield Block(a, b, rows, cols, low.add_((a.norm - a.slack)[rows, None]))


def _packed(x: Tensor) -> Tensor:
    """As oneDNN takes it, whose float32 products are twice as fast as MKL's on processors that are not Intel's."""
    usable = x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return x.to_mkldnn() if usable else x


def nearest(x: Tensor, k: int, *, size: int = BLOCK, see: Callable[[Block], None] = lambda pairs: None) -> Tensor:
    """Squared distances of each sample of x (n, D) to its k nearest others, ascending, (n, k) float64.

    `see` is shown every block of pairs, for a metric that can do with their products.
    """
    n = len(x)
    if not 1 <= k < n:
        raise ValueError(f"k = {k} neighbours of {n} samples: k must be 1 to {n - 1}, so give more samples")
    (cloud,) = clouds(x)
    wanted = min(k + SPARE, n - 1)
    low = cloud.rough.new_full((n, wanted), torch.inf)
    index = torch.zeros(n, wanted, dtype=torch.int64, device=x.device)
    for block in blocks(cloud, cloud, size=size, upper=True):
        see(block)
        if block.rows == block.cols:
            block.low.fill_diagonal_(torch.inf)
        else:
            _keep_smallest(low[block.cols], index[block.cols], block.low.T.contiguous(), block.rows.start)
        _keep_smallest(low[block.rows], index[block.rows], block.low, block.cols.start)
    of = torch.arange(n, device=x.device).repeat_interleave(wanted)
    distance = squared(x, x, of, index.flatten()).view(n, wanted).sort(dim=1).values[:, :k]
    # whatever was left out lies at least as far as the last that was screened
    unsure = low[:, -1].double() * cloud.scale**2 < distance[:, -1]
    if wanted < n - 1 and unsure.any():
        distance[unsure] = _nearest_by_differences(x, unsure.nonzero().flatten(), k)
    return distance


def _keep_smallest(low: Tensor, index: Tensor, new: Tensor, start: int) -> None:
    """Merge a block's screened distances into the smallest of each row so far, in place."""
    value, column = new.topk(min(low.shape[1], new.shape[1]), dim=1, largest=False)
    value, pick = torch.cat([low, value], dim=1).topk(low.shape[1], dim=1, largest=False)
    index.copy_(torch.cat([index, column + start], dim=1).gather(1, pick))
    low.copy_(value)


def _nearest_by_differences(x: Tensor, rows: Tensor, k: int) -> Tensor:
    """The slow way, for samples with more near-ties than were screened: clumps that are tiny for their distance."""
    found = []
    for row in rows.split(BLOCK):
        best = torch.full((len(row), k + 1), torch.inf, dtype=torch.float64, device=x.device)
        for part in _parts(x):
            distance = torch.cdist(x[row].double(), part.double(), compute_mode="donot_use_mm_for_euclid_dist")
            best = torch.cat([best, distance], dim=1).topk(k + 1, dim=1, largest=False, sorted=True).values
        found.append(best[:, 1:].square())  # the first is the sample itself
    return torch.cat(found)


def squared(a: Tensor, b: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """|a_i - b_j|^2 for each pair of indices, by differences in float64."""
    distance = torch.empty(len(i), dtype=torch.float64, device=a.device)  # filled in place: a list fragments memory
    size = max(1, CHUNK // a.shape[1])
    for part, left, right in zip(distance.split(size), i.split(size), j.split(size), strict=True):
        torch.linalg.vector_norm(a[left].double() - b[right].double(), dim=1, out=part)
    return distance.square_()
