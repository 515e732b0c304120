"""Precision, recall, density and coverage against their definitions, written out in float64 differences."""

import math

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_prc import prc_features_to_metric

from benchmarks.metrics.common import neighbours
from benchmarks.metrics.common.draw import draw as lot
from benchmarks.metrics.manifold import Manifold, Sight, manifold, score


def by_definition(real: Tensor, fake: Tensor, k: int = 3, k_density: int = 5) -> Manifold:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (a.double()[:, None] - b.double()[None]).square().sum(dim=-1)

    def reach(x: Tensor, nearest: int) -> Tensor:
        return distance(x, x).fill_diagonal_(math.inf).sort(dim=1).values[:, nearest - 1]

    between = distance(real, fake)  # (N, n)
    ball = between < reach(real, k_density)[:, None]
    return Manifold(
        (between <= reach(real, k)[:, None]).any(dim=0).double().mean().item(),
        (between <= reach(fake, k)[None]).any(dim=1).double().mean().item(),
        ball.sum().item() / (k_density * len(fake)),
        ball.any(dim=1).double().mean().item(),
    )


def draw(n: int, dims: int, seed: int) -> Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed))


def clumps(n: int, dims: int, width: float, seed: int) -> Tensor:
    """A generator collapsed onto four points: clumps that float32 products cannot see into."""
    return draw(4, dims, 0)[torch.arange(n) % 4].double() + width * draw(n, dims, seed).double()


CASES = {
    "plain": lambda: (draw(300, 8, 0), draw(250, 8, 1) * 0.9),
    "far from the origin": lambda: (30 + 0.01 * draw(300, 64, 0), 30 + 0.009 * draw(300, 64, 1)),
    "ties on a lattice": lambda: ((draw(200, 3, 0) * 2).round(), (draw(220, 3, 1) * 2).round()),
    "clumps": lambda: (clumps(200, 16, 1e-7, 1), clumps(240, 16, 1e-7, 2)),
    "clumps among spread": lambda: (draw(200, 16, 1), clumps(200, 16, 1e-5, 2).float()),
    "collapsed": lambda: (draw(200, 8, 0), draw(200, 8, 0)[:1].expand(150, 8)),
    "outlier": lambda: (draw(200, 8, 0), torch.cat([draw(200, 8, 1), torch.full((1, 8), 1e6)])),
    "squares that underflow": lambda: (
        torch.cat([draw(100, 8, 0) * 1e-25, torch.ones(1, 8), -torch.ones(1, 8)]),
        draw(100, 8, 1) * 1e-25,
    ),
    "huge": lambda: (draw(100, 8, 0) * 1e30, draw(100, 8, 1) * 1e30),
    "tiny": lambda: (draw(100, 8, 0) * 1e-30, draw(100, 8, 1) * 1e-30),
    "one dimension": lambda: (draw(100, 1, 0), draw(100, 1, 1)),
    "six samples": lambda: (draw(6, 2, 0), draw(6, 2, 1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("block", [7, 64, 1024])
def test_the_definition_is_met_whatever_the_block_size(case: str, block: int) -> None:
    real, fake = CASES[case]()
    assert manifold(real=real, fake=fake, block=block) == pytest.approx(by_definition(real, fake), abs=1e-15)


def test_clumps_take_the_slow_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The case above would be of no use if the screening were sure of itself there."""
    taken = []
    slow = neighbours._nearest_by_differences
    monkeypatch.setattr(neighbours, "_nearest_by_differences", lambda *found: taken.append(1) or slow(*found))
    neighbours.nearest(clumps(200, 16, 1e-7, 1), 3)
    assert taken
    taken.clear()
    neighbours.nearest(draw(300, 64, 0), 5)
    assert not taken


@pytest.mark.parametrize("case", ["ties on a lattice", "one dimension", "six samples", "copies", "nearer and nearer"])
def test_trees_and_products_find_the_same(case: str) -> None:
    """In few dimensions no pairs are gone through, unless someone asks to see them."""
    more = {
        "copies": lambda: (draw(40, 2, 0)[torch.arange(120) % 40], draw(40, 2, 0)[torch.arange(90) % 30]),
        "nearer and nearer": lambda: tuple(draw(200, 2, seed).sort(dim=0, descending=True).values for seed in (0, 1)),
    }
    real, fake = (CASES | more)[case]()
    seen: list[neighbours.Block] = []
    by_products = manifold(real=real, fake=fake, block=64, see=Sight(seen.append, seen.append, seen.append))
    assert seen
    assert manifold(real=real, fake=fake) == by_products == pytest.approx(by_definition(real, fake), abs=1e-15)


@pytest.mark.parametrize("shape", [(50, 64), (33, 97), (5, 3), (1, 1000)])
@pytest.mark.parametrize("share", [0.0, 0.02, 1.0])
def test_entries_within_a_limit_are_found_by_row_and_by_column(shape: tuple[int, int], share: float) -> None:
    low = draw(*shape, 0)
    for columns in (False, True):
        turned = low.T if columns else low
        limit = turned.quantile(share, dim=1) - (0.0 if share else 1.0)  # of no entry, of a few, of all
        i, j, value = neighbours._below(low, limit, columns=columns)
        wanted = (turned <= limit[:, None]).nonzero()
        found = torch.stack([i, j], dim=1)
        assert (i.diff() >= 0).all() and torch.equal(value, turned[i, j])
        assert torch.equal(found[(found[:, 0] * turned.shape[1] + found[:, 1]).argsort()], wanted)


@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("dims", [2, 64, 512])
@pytest.mark.parametrize("block", [50, 1024])
def test_equal_sets_score_one(offset: float, dims: int, block: int) -> None:
    x = offset + 0.01 * draw(300, dims, 0)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    assert manifold(real=x, fake=x[order], block=block) == (1, 1, 1, 1)


def test_equal_clumps_score_one() -> None:
    """Their balls are found by one way of summing and compared by another, which must not break the tie."""
    x = clumps(400, 100, 1e-6, 1)
    assert manifold(real=x, fake=x.flip(0)) == (1, 1, 1, 1)


def test_a_collapsed_generator_is_precise_and_recalls_at_most_one() -> None:
    real = draw(200, 4, 0)
    on_a_sample = manifold(real=real, fake=real[:1].expand(200, 4))
    assert on_a_sample.precision == 1
    assert on_a_sample.recall <= 1 / 200
    nearby = manifold(real=real, fake=real[:1].expand(200, 4) + 1e-3)
    assert (nearby.precision, nearby.recall) == (1, 0)


def test_sets_far_apart_share_nothing() -> None:
    assert manifold(real=draw(100, 4, 0), fake=draw(100, 4, 1) + 100) == (0, 0, 0, 0)


def test_precision_and_recall_change_places_with_the_sets() -> None:
    real, fake = draw(200, 4, 0), draw(150, 4, 1) * 0.5
    there, back = manifold(real=real, fake=fake), manifold(real=fake, fake=real)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert there.precision > there.recall  # too little spread: precise, and forgets the rim


def test_coverage_of_a_second_draw_is_the_expected_one() -> None:
    real_n, fake_n, k, draws = 300, 200, 5, 60
    found = torch.tensor(
        [manifold(real=draw(real_n, 2, 2 * i), fake=draw(fake_n, 2, 2 * i + 1)).coverage for i in range(draws)]
    )
    expected = 1 - math.prod((real_n - i) / (real_n + fake_n - i) for i in range(1, k + 1))
    assert found.mean().item() == pytest.approx(expected, abs=4 * found.std().item() / draws**0.5)


def test_rounder_products_are_not_trusted() -> None:
    real, fake = CASES["plain"]()
    expected, before = manifold(real=real, fake=fake), torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert neighbours.screening_dtype(64) is torch.float64
        assert manifold(real=real, fake=fake) == expected
    finally:
        torch.set_float32_matmul_precision(before)
    assert neighbours.screening_dtype(64) is torch.float32


@pytest.mark.parametrize("dims", [2, 16, 17, 64])
def test_the_bound_of_a_screened_distance_holds(dims: int) -> None:
    """Products may be summed in any order by any library; distances must lie between the bounds all the same."""
    a, b = draw(200, dims, 0) + 3, draw(300, dims, 1) * 2
    one, other = neighbours.clouds(a, b)
    true = (a.double()[:, None] - b.double()[None]).square().sum(dim=-1)
    for block in neighbours.blocks(one, other, size=128):
        exact = true[block.rows, block.cols] / one.scale**2
        high = block.low + 2 * (one.slack[block.rows, None] + other.slack[block.cols])
        assert (block.low <= exact).all() and (exact <= high).all()


def test_a_table_takes_equally_many_by_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = draw(300, 4, 0), draw(250, 4, 1)
    for most, n in ((10_000, 250), (100, 100)):
        monkeypatch.setattr("benchmarks.metrics.manifold.SAMPLES", most)
        cut = [x[lot(x, n)] if len(x) > n else x for x in (real, fake)]
        assert score(real_features=real, fake_features=fake) == manifold(real=cut[0], fake=cut[1])._asdict()


def test_a_larger_reference_does_not_bound_coverage() -> None:
    """Of fresh data: .60 on average with five times as many held-out as generated, .97 with equally many."""
    real, fake = draw(2000, 4, 0), draw(400, 4, 1)
    assert manifold(real=real, fake=fake).coverage < 0.65
    assert score(real_features=real, fake_features=fake)["coverage"] > 0.93


def test_agrees_with_torch_fidelity_and_prdc() -> None:
    real, fake = draw(400, 32, 0).double(), draw(300, 32, 1).double() * 0.95
    ours = manifold(real=real, fake=fake)
    theirs = prc_features_to_metric(
        fake, real, prc_neighborhood=3, prc_batch_size=1000, save_cpu_ram=False, verbose=False
    )
    assert ours[:2] == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-6)
    prdc = pytest.importorskip("prdc").compute_prdc(real.numpy(), fake.numpy(), nearest_k=5)
    assert ours[2:] == pytest.approx((prdc["density"], prdc["coverage"]), abs=1e-12)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (draw(5, 2, 0), draw(50, 2, 1), "real holds too few samples, 5: give 6"),
        (draw(50, 2, 0), draw(1, 2, 1), "fake holds too few samples, 1"),
        (draw(50, 2, 0), draw(50, 3, 1), "2 dimensions and fake has 3"),
        (draw(50, 2, 0), draw(50, 2, 1).log(), "fake is not finite"),
    ],
)
def test_bad_input_is_one_line(real: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        manifold(real=real, fake=fake)


@pytest.mark.parametrize("k", [0, 10, 11])
def test_too_many_neighbours_are_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k = {k} neighbours of 10 samples: k must be 1 to 9"):
        neighbours.nearest(draw(10, 2, 0), k)


@pytest.mark.parametrize("dims", [4, 24])
def test_threads_change_nothing_and_are_left_as_they_were(dims: int) -> None:
    real, fake = draw(300, dims, 0), draw(250, dims, 1)
    expected, before = manifold(real=real, fake=fake, block=64), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert manifold(real=real, fake=fake, block=64) == expected == by_definition(real, fake)
        assert torch.get_num_threads() == 3
        with pytest.raises(ValueError, match="k = 300"):
            neighbours.nearest(real, 300)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
