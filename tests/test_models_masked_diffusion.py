"""Masked diffusion as mathematics: its bound is exact where conditionals are, and is below the likelihood else; pixels
are drawn as the net says, as many in each evaluation as the others."""

import math
from itertools import combinations

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common import raster
from models.common.pixels import from_levels, to_levels
from models.common.protocol import Batch, Spec

pytestmark = pytest.mark.usefixtures("float64")


class Independent(nn.Module):
    """Says of each pixel the same whatever is shown, (D, L) log-odds, and keeps what it was asked."""

    def __init__(self, dims: int, levels: int) -> None:
        super().__init__()
        self.logits, self.asked = nn.Parameter(torch.randn(dims, levels)), []

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.asked.append((x, t))
        return self.logits.T.reshape(1, -1, *x.shape[2:]).expand(len(x), -1, -1, -1)


class Pair(nn.Module):
    """The exact conditionals of two binary pixels whose joint table is given, from their one-hot levels."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        seen = x[:, :, 0]  # (B, L, 2)
        possible = torch.where(seen.sum(1, keepdim=True) > 0, seen, 1.0)
        joint = self.table * possible[:, :, None, 0] * possible[:, None, :, 1]  # (B, L, L)
        return torch.stack([joint.sum(2), joint.sum(1)], 2).log()[:, :, None]  # of what is seen nothing is asked


def build(shape: tuple[int, ...], levels: int, **hyper: object) -> nn.Module:
    """With weights further from uniform than new ones."""
    torch.manual_seed(0)
    model = models.load("masked_diffusion")(Spec(shape, 0, levels), **{"width": 16, "ema": 0.0} | hyper).eval()
    for weight in model.requires_grad_(False).parameters():
        weight.mul_(2).add_(0.1 * torch.randn_like(weight))
    return model


def of_independent_pixels(shape: tuple[int, ...], levels: int, **hyper: object) -> tuple[nn.Module, Independent]:
    model, net = build(shape, levels, **hyper), Independent(math.prod(shape), levels)
    model.net = net.requires_grad_(False)
    return model, net


def all_images(shape: tuple[int, ...], levels: int) -> Tensor:
    grid = from_levels(torch.arange(levels), levels, like=torch.zeros(()))
    return torch.cartesian_prod(*[grid] * math.prod(shape)).view(-1, *shape)


def every_mask(shape: tuple[int, ...]) -> list[Tensor]:
    """All that hide a pixel or more, (1, C, H, W) bool"""
    pixels = range(math.prod(shape))
    chosen = [torch.tensor(each) for k in range(1, len(pixels) + 1) for each in combinations(pixels, k)]
    return [torch.zeros(len(pixels), dtype=torch.bool).index_fill(0, each, True).view(1, *shape) for each in chosen]


def of_hidden(model: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
    """The sum of log p(x_d | what is shown) over the pixels hidden by one mask: (B,)"""
    shown, which = x.masked_fill(mask, -1).unique(dim=0, return_inverse=True)  # what is hidden must not matter
    logits = model(shown, mask.expand_as(shown))[which]
    return (raster.pixel_log_prob(logits, x) * mask).flatten(1).sum(1)


def expected(model: nn.Module, x: Tensor) -> Tensor:
    """The mean over k of D / k E[sum of log p over k hidden pixels], by all masks: (B,)"""
    dims, total = x[0].numel(), torch.zeros(len(x))
    for mask in every_mask(x.shape[1:]):
        k = int(mask.sum())
        total += of_hidden(model, x, mask) / k / math.comb(dims, k)
    return total


def integrated(model: nn.Module, x: Tensor) -> Tensor:
    """The integral over t of E[sum of log p over the hidden] / t, by all masks and Gauss-Legendre: (B,)

    A mask of k pixels of D has probability t^k (1 - t)^(D - k): over t, a polynomial of degree D - 1."""
    dims, total = x[0].numel(), torch.zeros(len(x))
    node, weight = torch.tensor([0.0, math.sqrt(3 / 5), -math.sqrt(3 / 5)]), torch.tensor([8.0, 5, 5]) / 9
    t = (node + 1) / 2
    assert dims <= 6, "three nodes are exact up to degree 5"
    for mask in every_mask(x.shape[1:]):
        k = int(mask.sum())
        total += (weight / 2 * t ** (k - 1) * (1 - t) ** (dims - k)).sum() * of_hidden(model, x, mask)
    return total


def test_the_bound_of_independent_pixels_is_their_likelihood_whatever_is_hidden() -> None:
    """In expectation; of pixels that are all alike even for each mask."""
    model, net = of_independent_pixels((1, 3, 3), 4)
    x = all_images((1, 3, 3), 4)[::9973]
    exact = net.logits.log_softmax(1).gather(1, to_levels(x, 4).flatten(1).T).sum(0)
    assert torch.allclose(expected(model, x), exact, atol=1e-12)
    net.logits[:] = net.logits[:1]
    x = torch.full_like(x, -1.0)
    exact = 9 * net.logits[0].log_softmax(0)[0]
    assert torch.allclose(model.log_prob(x), exact, atol=1e-12)
    for share in (0.0, 0.5, 0.999):
        assert torch.allclose(model.bound_given(x, torch.full((len(x),), share)), exact, atol=1e-12)


def test_the_bound_is_exact_where_the_conditionals_are() -> None:
    table = torch.tensor([[0.5, 0.1], [0.15, 0.25]])
    model, x = build((1, 1, 2), 2, draws=6), all_images((1, 1, 2), 2)
    model.net = Pair(table)
    found = expected(model, x)
    alone, given = table.sum(1), table / table.sum(1, keepdim=True)  # p(first), p(second | first)
    assert torch.allclose(found, (alone[:, None] * given).log().flatten(), atol=1e-12)
    assert not torch.allclose(found, (table.sum(1)[:, None] * table.sum(0)).log().flatten(), atol=0.05)


def test_given_how_many_are_hidden_the_integral_over_time_is_done() -> None:
    model, x = build((1, 2, 3), 2), all_images((1, 2, 3), 2)[::5]
    assert torch.allclose(integrated(model, x), expected(model, x), atol=1e-10)


@pytest.mark.parametrize("levels", [2, 3])
def test_the_bounds_of_all_images_sum_to_less_than_one(levels: int) -> None:
    shape = (1, 3, 3) if levels == 2 else (2, 1, 2)
    model, x = build(shape, levels), all_images(shape, levels)
    found = expected(model, x)
    assert 0.1 < found.exp().sum() < 1
    assert found.std() > 0.1


def test_the_estimate_is_the_bound_on_average_and_the_same_when_asked_again() -> None:
    model, x = build((1, 3, 3), 2, draws=18), all_images((1, 3, 3), 2)[3:4]
    found = model.log_prob(x.expand(500, -1, -1, -1))
    assert torch.equal(found, model.log_prob(x.expand(500, -1, -1, -1)))
    assert found.mean().item() == pytest.approx(expected(model, x).item(), abs=4 * found.std().item() / math.sqrt(500))
    assert model.bound and model.estimator == "18 masks of any order"


def test_strata_hide_each_number_of_pixels_as_often() -> None:
    model, net = of_independent_pixels((1, 3, 4), 2, draws=24)
    model.log_prob(all_images((1, 3, 4), 2)[:5])
    hidden = torch.stack([12 * t for _, t in net.asked]).round().long()  # (24, B)
    for image in hidden.T:
        assert image.bincount(minlength=13).tolist() == [0, *[2] * 12]
    net.asked.clear()
    x = all_images((1, 3, 4), 2)[:24]
    loss = model.train().bound_move(Batch(x))["model"]  # and a minibatch does so, too
    seen, share = net.asked[0]
    assert (share * 12).round().long().bincount(minlength=13).tolist() == [0, *[2] * 12]
    assert torch.allclose(1 - seen.flatten(1).sum(1) / 12, share)
    masked = seen.sum(1, keepdim=True) == 0
    nats = raster.pixel_log_prob(model(x, masked), x) * masked
    assert torch.allclose(loss, -(nats.flatten(1).sum(1) / share).mean(), atol=1e-12)


def test_what_is_hidden_is_not_seen() -> None:
    model, x = build((2, 4, 4), 3), from_levels(torch.randint(3, (5, 2, 4, 4)), 3, like=torch.zeros(()))
    hidden = torch.rand(x.shape) < 0.5
    logits = model(x, hidden)
    assert logits.shape == (5, 2, 3, 4, 4) and torch.equal(model(torch.where(hidden, -x, x), hidden), logits)
    assert not torch.allclose(model(torch.where(hidden, x, -x), hidden), logits, atol=0.1)
    assert not torch.allclose(model(x, hidden & (x > 0)), logits, atol=0.1)


def test_pixels_are_hidden_by_chance_alone() -> None:
    model, net = of_independent_pixels((1, 2, 3), 2)
    n, k = 12_000, 2
    model.bound_given(torch.ones(n, 1, 2, 3), torch.full((n,), (k - 1) / 6))
    masked = (net.asked[0][0].sum(1) == 0).flatten(1)  # (n, D)
    assert (masked.sum(1) == k).all()
    pairs = (masked.double() @ 2.0 ** torch.arange(6)).long().bincount(minlength=64)
    counts = pairs[[2**i + 2**j for i, j in combinations(range(6), 2)]]
    assert ((counts - n / 15).square() / (n / 15)).sum() < 36.1  # chi-squared of 14: once in a thousand


@pytest.mark.parametrize(("asked", "taken"), [(1, 1), (4, 4), (5, 5), (12, 12), (128, 12), (None, 12)])
def test_as_many_pixels_are_drawn_in_each_evaluation(asked: int | None, taken: int) -> None:
    model, net = of_independent_pixels((1, 3, 4), 2)
    assert model.evaluations == 12
    model.sample(3, None, Generator().manual_seed(0), evaluations=asked)
    hidden = torch.stack([12 * t for _, t in net.asked] + [torch.zeros(3)]).round()  # (evaluations + 1, B)
    drawn = hidden[:-1] - hidden[1:]
    assert len(drawn) == taken and drawn.min() >= 12 // taken and drawn.max() <= -(-12 // taken)


@pytest.mark.parametrize("evaluations", [1, 2])
def test_draws_are_as_frequent_as_they_are_likely(evaluations: int) -> None:
    """One after the other: of the joint table; at once: of its margins. Chi-squared of 3: above 16.3 once in 1,000."""
    table, n = torch.tensor([[0.5, 0.1], [0.15, 0.25]]), 20_000
    model = build((1, 1, 2), 2)
    model.net = Pair(table)
    drawn = model.sample(n, None, Generator().manual_seed(1), evaluations=evaluations)
    count = ((drawn.flatten(1) + 1) / 2 @ torch.tensor([2.0, 1])).long().bincount(minlength=4)
    wanted = n * (table if evaluations == 2 else table.sum(1)[:, None] * table.sum(0)).flatten()
    assert ((count - wanted).square() / wanted).sum() < 16.3


def test_any_hole_is_filled_given_what_is_shown() -> None:
    table, n = torch.tensor([[0.5, 0.1], [0.15, 0.25]]), 20_000
    model = build((1, 1, 2), 2)
    model.net = Pair(table)
    mask = torch.tensor([False, True]).view(1, 1, 1, 2).expand(n, -1, -1, -1)
    x = torch.tensor([math.nan, 1.0]).view(1, 1, 1, 2).expand(n, -1, -1, -1)  # what stands in a hole does not matter
    filled = model.inpaint(x, mask, Generator().manual_seed(0))
    assert (filled[..., 1] == 1).all()
    share = (table[1, 1] / table[:, 1].sum()).item()
    deviation = math.sqrt(share * (1 - share) / n)
    assert (filled[..., 0] == 1).double().mean().item() == pytest.approx(share, abs=4 * deviation)


def test_holes_of_different_sizes_are_filled_together() -> None:
    model, net = of_independent_pixels((2, 3, 3), 3)
    x = from_levels(torch.randint(3, (4, 2, 3, 3)), 3, like=torch.zeros(()))
    mask = torch.arange(9).view(1, 1, 3, 3) < torch.tensor([0, 4, 8, 9]).view(4, 1, 1, 1)
    filled = model.inpaint(x, mask, Generator().manual_seed(0))
    assert torch.equal(filled.where(mask, x), x) and len(net.asked) == 18
    assert torch.equal(model.inpaint(x, mask | True, Generator()), x)


def test_the_average_of_weights_scores_and_draws() -> None:
    model = build((1, 4, 4), 2, ema=0.9)
    x, before = torch.ones(2, 1, 4, 4), model.log_prob(torch.ones(2, 1, 4, 4))
    for weight in model.net.net.parameters():
        weight.add_(torch.randn_like(weight))
    assert torch.equal(model.log_prob(x), before)
    model.constrain()
    assert not torch.equal(model.log_prob(x), before)


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    with pytest.raises(
        ValueError, match=r"^masked_diffusion needs images with grey levels, the data are points of shape"
    ):
        models.load("masked_diffusion")(Spec((2,)))
    with pytest.raises(ValueError, match=r"the data are of 0 levels and of shape \(1, 8, 8\)$"):
        models.load("masked_diffusion")(Spec((1, 8, 8)))
    model = build((1, 4, 4), 4)
    for evaluations in (0, -1):
        with pytest.raises(ValueError, match=rf"^evaluations = {evaluations}: must be 1 or more$"):
            model.sample(2, None, Generator(), evaluations=evaluations)
        with pytest.raises(ValueError, match=rf"^evaluations = {evaluations}: must be 1 or more$"):
            build((1, 4, 4), 4, evaluations=evaluations)
    x, mask = torch.full((2, 1, 4, 4), 0.3), torch.ones(2, 1, 4, 4, dtype=torch.bool)
    for asked in (lambda: model.log_prob(x), lambda: model.inpaint(x, mask, Generator())):
        with pytest.raises(ValueError, match=r"a pixel is 0\.3, none of the 4 levels"):
            asked()
    with pytest.raises(ValueError, match="mask"):
        model.inpaint(x, mask[:, :, :2], Generator())
