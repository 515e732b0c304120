"""Nearest neighbours and balls, decided as float64 differences decide them, at nearly the speed of float32 products.

|a - b|^2 = |a|^2 + |b|^2 - 2ab is one matrix product for a whole block of pairs, but in float32 it cancels. So the
product only screens: each pair's rounding error is bounded (N. J. Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, Section 3.1), and the few pairs that the bound leaves open are computed anew as float64 differences.
In up to three dimensions a k-d tree finds the same pairs without going through the others.
What is returned therefore depends neither on the block size nor on the order of the samples; memory is linear in
samples. Distances squared that agree to twelve digits count as equal, so that a tie stays a tie however it was summed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.metrics.common import trees
from benchmarks.metrics.common.threads import ahead, one_thread

BLOCK = 1024  # samples on a side of a block of pairs
GROUP = 32  # pairs whose least distance is looked at in their place
FEW = 16  # dimensions up to which products are cheap: screened in float64, dense points need no second look
SPARE = 4  # neighbours screened beyond the last asked for
TIE = 1e-12  # relative difference of squared distances that are equal
CHUNK = 2**16  # numbers converted to float64 at once, which then stay in a processor's cache


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


@one_thread()
def clouds(*sets: Tensor) -> tuple[Cloud, ...]:
    """The sets about the mean of the first of them."""
    first = sets[0]
    origin = torch.stack([part.double().sum(dim=0) for part in _parts(first)]).sum(dim=0) / len(first)
    ends = torch.stack([end for x in sets for end in (x.amin(dim=0), x.amax(dim=0))])
    scale = (ends - origin).abs().max().item() or 1.0
    return tuple(_cloud(x, origin, scale) for x in sets)


def _cloud(x: Tensor, origin: Tensor, scale: float) -> Cloud:
    rough = torch.empty_like(x, dtype=screening_dtype(x.shape[1]))
    for part, own in zip(_parts(rough), _parts(x), strict=True):
        part.copy_((own.double() - origin).div_(scale))
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

    def near(self, reach: Tensor) -> "Near":
        """The pairs that may lie within the squared reach of their sample of `a`, (rows,) float64."""
        row, col, low = _below(self.low, self._screened(reach))
        return Near(self.a, self.b, row + self.rows.start, col + self.cols.start, low)

    def near_columns(self, reach: Tensor) -> "Near":
        """The pairs that may lie within the squared reach of their sample of `b`, (cols,) float64."""
        col, row, low = _below(self.low, self._screened(reach), columns=True)
        return Near(self.a, self.b, row + self.rows.start, col + self.cols.start, low)

    def _screened(self, reach: Tensor) -> Tensor:
        return (reach / self.a.scale**2 * (1 + 4 * torch.finfo(self.low.dtype).eps)).to(self.low.dtype)


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


See = Callable[[Block], None]


def blocks(a: Cloud, b: Cloud, *, size: int = BLOCK, upper: bool = False) -> Iterator[Block]:
    """All pairs of a sample of `a` with one of `b`, block by block; `upper` leaves out blocks below the diagonal."""

    def spans() -> Iterator[tuple[Tensor, slice, slice]]:
        for top in range(0, len(a.rough), size):
            rows = slice(top, min(top + size, len(a.rough)))
            left_factor = _packed(-2 * a.rough[rows])
            for left in range(top if upper else 0, len(b.rough), size):
                yield left_factor, rows, slice(left, min(left + size, len(b.rough)))

    def block(span: tuple[Tensor, slice, slice]) -> Block:
        left_factor, rows, cols = span
        low = F.linear(left_factor, b.rough[cols], (b.norm - b.slack)[cols]).to_dense()
        return Block(a, b, rows, cols, low.add_((a.norm - a.slack)[rows, None]))

    with one_thread() as threads:
        yield from ahead(block, spans(), threads if a.rough.device.type == "cpu" else 1)


def _packed(x: Tensor) -> Tensor:
    """As oneDNN takes it, whose float32 products are twice as fast as MKL's on processors that are not Intel's."""
    usable = x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return x.to_mkldnn() if usable else x


def _below(low: Tensor, limit: Tensor, *, columns: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Row, column and value of the entries of low (R, C) that are at most their row's limit (R,), row by row; or
    column, row and value of those that are at most their column's (C,), column by column.

    Few are: the least of each group of entries is compared first, which leaves most of them unread.
    """
    along = 0 if columns else 1
    if ragged := -low.shape[along] % GROUP:
        low = F.pad(low, (0, 0, 0, ragged) if columns else (0, ragged), value=torch.inf)
    groups = low.unflatten(along, (GROUP, -1))
    least = groups.amin(dim=along)
    if columns:  # turned only now: along rows in memory the least is found forty times as fast
        groups, least = groups.permute(2, 0, 1), least.T
    row, group = (least <= limit[:, None]).nonzero(as_tuple=True)  # of (R, GROUP, C / GROUP)
    value = groups[row, :, group]  # (found, GROUP)
    found, place = (value <= limit[row, None]).nonzero(as_tuple=True)
    return row[found], place * least.shape[1] + group[found], value[found, place]


def around(
    a: Tensor, b: Tensor, reach: Tensor, other: Tensor | None = None, *, size: int = BLOCK, see: See | None = None
) -> Iterator[tuple["Near", "Near"]]:
    """The pairs that may lie within the squared `reach` of their sample of a (N,), and those that may lie within the
    `other` one of their sample of b (n,), part by part. `see` is shown every block of pairs."""
    one, two = clouds(a, b)
    if a.shape[1] <= trees.DIMS and see is None:
        for i, j in trees.pairs(a, b, reach):
            yield _known(one, two, i, j), _known(one, two, i[:0], j[:0])
        for j, i in trees.pairs(b, a, other) if other is not None else ():
            yield _known(one, two, i[:0], j[:0]), _known(one, two, i, j)
        return
    nothing = torch.zeros(0, dtype=torch.int64, device=a.device)
    for block in blocks(one, two, size=size):
        if see is not None:
            see(block)
        there = block.near(reach[block.rows])
        yield there, _known(one, two, nothing, nothing) if other is None else block.near_columns(other[block.cols])


def _known(a: Cloud, b: Cloud, i: Tensor, j: Tensor) -> Near:
    """Pairs whose distance is computed by differences."""
    distance = (squared(a.points, b.points, i, j) / a.scale**2).to(a.rough.dtype)
    return Near(a, b, i, j, distance - a.slack[i] - b.slack[j])


def nearest(x: Tensor, *ranks: int, size: int = BLOCK, see: See | None = None) -> Tensor:
    """Squared distance of each sample of x (n, D) to its nearest others of these ranks, ascending from 1: (n, ranks)
    float64. `see` is shown every block of pairs, for a metric that can do with their products."""
    n, k = len(x), ranks[-1]
    if not 1 <= ranks[0] <= k < n:
        raise ValueError(f"k = {k} neighbours of {n} samples: k must be 1 to {n - 1}, so give more samples")
    at = [rank - 1 for rank in ranks]
    if x.shape[1] <= trees.DIMS and see is None:
        index = trees.nearest(x, k)  # (n, k + 1), mostly with the sample itself
        itself = index == torch.arange(n, device=x.device)[:, None]
        return _distances(x, index).masked_fill_(itself, torch.inf).sort(dim=1).values[:, at]
    (cloud,) = clouds(x)
    low, index = _screen(cloud, min(k + SPARE, n - 1), size, see)
    distance = _decided(cloud, low.double(), index, at)
    # whatever was left out lies at least as far as the last that was screened
    unsure = low[:, -1].double() * cloud.scale**2 < distance[:, -1]
    if low.shape[1] < n - 1 and unsure.any():
        distance[unsure] = _nearest_by_differences(x, unsure.nonzero().flatten(), k)[:, at]
    return distance


def _screen(cloud: Cloud, wanted: int, size: int, see: See | None) -> tuple[Tensor, Tensor]:
    """The smallest screened distances of each sample to others, ascending, and to whom: (n, wanted) each."""
    n = len(cloud.rough)
    low = cloud.rough.new_full((n, wanted), torch.inf)
    index = torch.zeros(n, wanted, dtype=torch.int64, device=low.device)
    for block in blocks(cloud, cloud, size=size, upper=True):
        if see is not None:
            see(block)
        if block.rows == block.cols:
            block.low.fill_diagonal_(torch.inf)
        else:
            _keep_smallest(low[block.cols], index[block.cols], block.low, block.rows.start, columns=True)
        _keep_smallest(low[block.rows], index[block.rows], block.low, block.cols.start)
    return low, index


def _keep_smallest(low: Tensor, index: Tensor, new: Tensor, start: int, *, columns: bool = False) -> None:
    """Merge a block's screened distances into the smallest of each of its rows, or columns, so far, in place."""
    if low[:, -1].isinf().any():  # nothing to compare with yet
        new = new.T if columns else new
        value, at = new.topk(min(low.shape[1], new.shape[1]), dim=1, largest=False)
    else:
        value, at = _rows(*_below(new, low[:, -1], columns=columns), len(low))
    value, pick = torch.cat([low, value], dim=1).topk(low.shape[1], dim=1, largest=False)
    index.copy_(torch.cat([index, at + start], dim=1).gather(1, pick))
    low.copy_(value)


def _rows(row: Tensor, column: Tensor, value: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Entries that come row by row as a matrix of n rows, and their columns; infinite where a row has fewer."""
    count = torch.bincount(row, minlength=n)
    place = torch.arange(len(row), device=row.device) - (count.cumsum(dim=0) - count)[row]
    values = value.new_full((n, int(count.max())), torch.inf)
    columns = torch.zeros_like(values, dtype=torch.int64)
    values[row, place], columns[row, place] = value, column
    return values, columns


def _decided(cloud: Cloud, low: Tensor, index: Tensor, at: list[int]) -> Tensor:
    """Squared distances of these ranks among those screened (n, wanted), computed where bounds overlap: (n, ranks)."""
    high = low + 2 * (cloud.slack[:, None] + cloud.slack[index]).double()
    high *= 1 + 4 * torch.finfo(cloud.rough.dtype).eps
    # the one of a rank lies between those of this rank of the lower and of the upper bounds
    least, most = low[:, at], high.sort(dim=1).values[:, at]
    open_ = ((low[:, :, None] <= most[:, None]) & (high[:, :, None] >= least[:, None])).any(dim=2)
    row, place = open_.nonzero(as_tuple=True)
    distance = low * cloud.scale**2  # good enough for what is surely nearer or farther
    distance[row, place] = squared(cloud.points, cloud.points, row, index[row, place])
    return distance.sort(dim=1).values[:, at]


def _distances(x: Tensor, index: Tensor) -> Tensor:
    """Squared distances of each sample of x (n, D) to those of these indices (n, k)."""
    of = torch.arange(len(x), device=x.device).repeat_interleave(index.shape[1])
    return squared(x, x, of, index.flatten()).view(index.shape)


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


@one_thread()
def squared(a: Tensor, b: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """|a_i - b_j|^2 for each pair of indices, by differences in float64."""
    distance = torch.empty(len(i), dtype=torch.float64, device=a.device)  # filled in place: a list fragments memory
    size = max(1, CHUNK // a.shape[1])
    for part, left, right in zip(distance.split(size), i.split(size), j.split(size), strict=True):
        torch.linalg.vector_norm(a[left].double() - b[right].double(), dim=1, out=part)
    return distance.square_()
