"""MADE as mathematics: probabilities that sum to one, nothing seen that comes later in an order, draws as frequent as
they are likely, and without hidden units a logistic regression for every pixel."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common.pixels import from_levels
from models.common.protocol import Batch, Spec

pytestmark = pytest.mark.usefixtures("float64")
ORDERS = pytest.mark.parametrize("orders", [1, 3])


def build(shape: tuple[int, ...], levels: int, **hyper: object) -> nn.Module:
    """With weights further from uniform than new ones."""
    torch.manual_seed(0)
    model = models.load("made")(Spec(shape, 0, levels), **{"width": 20, "depth": 2, "direct": True} | hyper)
    model.eval().requires_grad_(False)
    for weight in model.parameters():
        weight.mul_(2).add_(0.2 * torch.randn_like(weight))
    return model


def all_images(shape: tuple[int, ...], levels: int) -> Tensor:
    grid = from_levels(torch.arange(levels), levels, like=torch.zeros(()))
    return torch.cartesian_prod(*[grid] * math.prod(shape)).view(-1, *shape)


@ORDERS
@pytest.mark.parametrize(("shape", "levels"), [((1, 3, 3), 2), ((1, 2, 2), 5), ((3, 1, 2), 3)])
def test_the_probabilities_of_all_images_sum_to_one(orders: int, shape: tuple[int, ...], levels: int) -> None:
    nats = build(shape, levels, orders=orders).log_prob(all_images(shape, levels))
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert nats.std() > 0.1


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(("width", "levels"), [(7, 2), (40, 4)])
def test_what_is_said_of_a_pixel_hangs_on_those_before_it_in_the_order(
    width: int, levels: int, depth: int, direct: bool
) -> None:
    """On all of it, but where no hidden unit has a degree in between. None is dead: they add up what is positive."""
    model = build((1, 3, 4), levels, width=width, depth=depth, orders=3, direct=direct)
    for layer in model.layers[:-1]:
        layer.weight.abs_(), layer.bias.fill_(20)
    between = torch.arange(width) * 11 // width + 1
    for order in model.orders:
        x = torch.rand(12) * 2 - 1
        found = torch.autograd.functional.jacobian(lambda x, order=order: model(x[None], order)[0], x)  # (D, L, D)
        paths = ((order[:, None, None] > between) & (between >= order[:, None])).any(2) | direct
        assert torch.equal(found.abs().sum(1) != 0, paths & (order[:, None] > order))


def test_the_orders_are_the_rasters_and_others() -> None:
    model = build((2, 3, 4), 2, orders=5)
    assert torch.equal(model.orders[0], torch.arange(1, 25))
    assert torch.equal(model.orders.sort(1).values, torch.arange(1, 25).expand(5, -1))
    assert len(model.orders.unique(dim=0)) == 5 and torch.equal(model.orders, build((2, 3, 4), 2, orders=5).orders)
    x, one = torch.randn(2, 2, 3, 4).sign(), build((2, 3, 4), 2)
    before = one.pixel_nats(x)
    x[:, 1, 1, 2] *= -1  # the second colour of the seventh pixel: itself and what follows it change
    after = one.pixel_nats(x).permute(0, 2, 3, 1).flatten(1)
    same = (after == before.permute(0, 2, 3, 1).flatten(1)).all(0)
    assert same[:13].all() and not same[13:].any()


@ORDERS
def test_draws_are_as_frequent_as_they_are_likely(orders: int) -> None:
    """Chi-squared over 16 images, 15 degrees of freedom: above 37.7 once in a thousand."""
    model, n = build((1, 2, 2), 2, orders=orders), 20_000
    drawn = model.sample(n, None, Generator().manual_seed(1))
    index = ((drawn.flatten(1) + 1) / 2 @ torch.tensor([8.0, 4, 2, 1])).long()
    expected = model.log_prob(all_images((1, 2, 2), 2)).exp() * n
    assert ((index.bincount(minlength=16) - expected).square() / expected).sum() < 37.7


def test_colours_are_drawn_in_turn() -> None:
    """As above, over 64 images: above 103.4 once in a thousand."""
    model, n = build((3, 1, 2), 2, orders=2), 20_000
    drawn = model.sample(n, None, Generator().manual_seed(1))
    index = ((drawn.flatten(1) + 1) / 2 @ 2.0 ** torch.arange(5, -1, -1)).long()
    expected = model.log_prob(all_images((3, 1, 2), 2)).exp() * n
    assert ((index.bincount(minlength=64) - expected).square() / expected).sum() < 103.4


def test_a_prefix_is_continued_as_bayes_has_it() -> None:
    model, images, n = build((1, 2, 2), 2), all_images((1, 2, 2), 2), 20_000
    mask = torch.tensor([[True, True], [False, False]]).view(1, 1, 2, 2)
    shown = images[9:10].masked_fill(~mask, math.nan).expand(n, -1, -1, -1)
    filled = model.inpaint(shown, mask.expand(n, -1, -1, -1), Generator().manual_seed(2))
    found = ((filled[:, 0, 1] + 1) @ torch.tensor([1.0, 0.5])).long().bincount(minlength=4) / n
    assert torch.allclose(found.double(), model.log_prob(images)[8:12].softmax(0), atol=4 * 0.5 / math.sqrt(n))


def test_without_hidden_units_it_is_logistic_regression() -> None:
    model = build((1, 2, 2), 2, depth=1)
    for layer in model.layers:
        layer.weight.zero_()
    weight, bias = model.direct.weight, model.layers[-1].bias
    x = all_images((1, 2, 2), 2)
    for image, found in zip(x.flatten(1).tolist(), model.pixel_nats(x).flatten(1).tolist(), strict=True):
        for pixel in range(4):
            odds = bias[pixel].item() + sum(weight[pixel, seen].item() * image[seen] for seen in range(pixel))
            assert found[pixel] == pytest.approx(-math.log1p(math.exp(-image[pixel] * odds)), abs=1e-12)


def test_with_more_levels_it_is_multinomial_regression() -> None:
    model = build((1, 1, 3), 4, depth=1)
    for layer in model.layers:
        layer.weight.zero_()
    weight, bias = model.direct.weight.view(4, 3, 3), model.layers[-1].bias.view(4, 3)  # level, pixel, pixel seen
    x = all_images((1, 1, 3), 4)
    level = ((x.flatten(1) + 1) * 1.5).round().long()
    logits = torch.einsum("lps,bs->bpl", weight.tril(-1), x.flatten(1)) + bias.T
    expected = logits.log_softmax(2).gather(2, level[..., None])[..., 0]
    assert torch.allclose(model.pixel_nats(x).flatten(1), expected, atol=1e-12)


def test_an_ensemble_is_the_mean_of_its_orders() -> None:
    model = build((1, 3, 3), 2, orders=3)
    x = all_images((1, 3, 3), 2)[::7]
    every = model.orders.clone()
    each = []
    for order in every:
        model.orders = order[None]
        each.append(model.log_prob(x))
    model.orders = every
    assert torch.allclose(model.log_prob(x), torch.stack(each).exp().mean(0).log(), atol=1e-12)
    assert torch.allclose(model.pixel_nats(x).flatten(1).sum(1), model.log_prob(x), atol=1e-12)
    for step in range(6):  # and training takes them in turn
        loss = model.likelihood_move(Batch(x, step=torch.tensor(step)))["model"]
        assert torch.allclose(loss, -each[step % 3].mean(), atol=1e-12)


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^made needs images with grey levels, the data are points of shape \(2,\)$"):
        models.load("made")(Spec((2,)))
    with pytest.raises(ValueError, match=r"^made needs images with grey levels, the data are of 0 levels and of shape"):
        models.load("made")(Spec((1, 8, 8)))
    model = build((1, 2, 2), 4, orders=2)
    x, mask = torch.ones(1, 1, 2, 2), torch.tensor([[True, True], [False, False]]).view(1, 1, 2, 2)
    with pytest.raises(ValueError, match=r"^orders = 2: a mask shows a prefix of one order only, set orders = 1$"):
        model.inpaint(x, mask, Generator())
    for asked in (model.log_prob, model.pixel_nats):
        with pytest.raises(ValueError, match=r"a pixel is 0\.3, none of the 4 levels"):
            asked(0.3 * x)
    assert build((3, 4, 5), 4).evaluations == 60
