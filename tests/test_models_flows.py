"""Normalising flows as mathematics: functions with inverses and exact determinants, densities that integrate to one,
bounds that are below what they bound."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm
from test_models_pixelcnn import all_images
from torch import Generator, Tensor

import models
from models.common import masked
from models.common.dequantised import noisy_logits, of_logits
from models.common.flows import Flow
from models.common.pixels import from_levels, to_levels
from models.common.protocol import Spec
from models.spline_flow import Spline

VARIANTS = {
    "realnvp": ("realnvp", {"couplings": 3}),
    "maf": ("maf", {"layers": 2}),
    "maf_mixture": ("maf", {"layers": 2, "components": 3}),
    "spline_flow": ("spline_flow", {"couplings": 3, "bins": 5, "box": 3.0}),
}
every_flow = pytest.mark.parametrize("variant", VARIANTS)
every_coupling = pytest.mark.parametrize("name", ["realnvp", "spline_flow"])
every_shape = pytest.mark.parametrize("shape", [(2,), (5,), (1, 3, 3), (3, 2, 2)])
pytestmark = pytest.mark.usefixtures("float64")


def build(variant: str, spec: Spec, far: float = 0.3, **changed: float) -> Flow:
    """With weights far from those that are the identity."""
    torch.manual_seed(0)
    name, sizes = VARIANTS[variant]
    model = models.load(name)(spec, **{"width": 12, "depth": 2} | sizes | changed).eval().requires_grad_(False)
    for weight in model.parameters():
        weight.add_(far * torch.randn_like(weight))
    return model


def jacobians(y: Tensor, x: Tensor) -> Tensor:
    """Of each y (B, D) by its own x (B, *shape): (B, D, D)"""
    rows = (torch.autograd.grad(column.sum(), x, retain_graph=True)[0] for column in y.unbind(1))
    return torch.stack([row.flatten(1) for row in rows], 1)


# ---- change of variables


@every_flow
@every_shape
def test_the_inverse_undoes_the_flow(variant: str, shape: tuple[int, ...]) -> None:
    model, x = build(variant, Spec(shape)), 2 * torch.randn(50, *shape)
    z, _ = model(x)
    assert (z - x.flatten(1)).abs().mean() > 0.3
    torch.testing.assert_close(model.inverse(z), x)
    torch.testing.assert_close(model(model.inverse(z))[0], z)


@every_flow
@every_shape
def test_the_determinant_is_that_of_the_jacobian(variant: str, shape: tuple[int, ...]) -> None:
    model, x = build(variant, Spec(shape)), (2 * torch.randn(20, *shape)).requires_grad_()
    z, nats = model(x)
    torch.testing.assert_close(nats, jacobians(z, x).slogdet().logabsdet)
    assert nats.std() > 0.1


@every_coupling
def test_new_couplings_leave_numbers_as_they_are(name: str) -> None:
    model, x = models.load(name)(Spec((5,)), width=8), torch.randn(20, 5)
    expected = norm.logpdf(x.numpy()).sum(1)
    np.testing.assert_allclose(model.log_prob(x).detach(), expected, rtol=1e-12)


@every_flow
def test_densities_integrate_to_one(variant: str) -> None:
    """By the trapezoidal rule, over so much that next to nothing lies beyond."""
    model = build(variant, Spec((2,)), far=0.2)
    line = torch.linspace(-5, 5, 401).sinh()  # to 74 each way, closest where most is
    density = model.log_prob(torch.cartesian_prod(line, line)).exp().view(401, 401)
    assert torch.trapezoid(torch.trapezoid(density, line), line).item() == pytest.approx(1, abs=1e-3)


@every_flow
def test_samples_have_the_density_that_is_stated(variant: str) -> None:
    """That of the noise they were made from, over how far noise is spread out there."""
    model = build(variant, Spec((2,)))
    z = model.noise(200, Generator().manual_seed(1)).requires_grad_()
    x = model.sample(200, None, Generator().manual_seed(1))
    spread = jacobians(model.inverse(z), z).slogdet().logabsdet
    of_noise = torch.tensor(norm.logpdf(z.detach()).sum(1)) if variant != "maf_mixture" else model.noise_log_prob(z)
    expected = of_noise.detach() - spread
    torch.testing.assert_close(model.log_prob(x), expected)


def test_noise_of_mixtures_is_drawn_from_the_density_that_is_stated() -> None:
    """By their distribution functions: the draws' values of these are uniform, their slopes are the densities."""
    mixtures = build("maf_mixture", Spec((3,))).mixtures
    z = mixtures.draw(2000, Generator().manual_seed(0)).requires_grad_()
    log_share, mean, log_scale = mixtures.told(z.detach())
    below = (log_share.exp() * torch.special.ndtr((z[:, None] - mean) / log_scale.exp())).sum(1)  # (2000, 3)
    assert (kstest(below.detach(), "uniform", axis=0).pvalue > 1e-3).all()
    (slope,) = torch.autograd.grad(below.sum(), z)
    torch.testing.assert_close(slope.log().sum(1), mixtures.log_prob(z).detach())
    assert (mean.std(1) > 0.1).all() and mean[:, :, 1:].std(0).min() > 0.01


# ---- levels


def test_dequantised_levels_come_back() -> None:
    x = from_levels(torch.arange(17).repeat(200), 17, like=torch.empty(()))[:, None]
    logits, _ = noisy_logits(x, 17)
    assert torch.equal(to_levels(of_logits(logits, 17), 17), to_levels(x, 17))
    assert logits.abs().max() < math.log(0.95 / 0.05)
    beyond = torch.tensor([[-9.0, 9.0]])
    assert of_logits(beyond, 17).tolist() == [[-1, 1]]


def test_the_density_of_levels_is_that_of_logits_times_the_slope() -> None:
    """Of v = k + u on [0, L]: the slope of logit(0.05 + 0.9 v / L)."""
    x = from_levels(torch.tensor([[0.0, 3.0, 7.0]]), 8, like=torch.empty(()))
    logits, nats = noisy_logits(x, 8, Generator().manual_seed(0))
    v = (torch.tensor([[0.0, 3.0, 7.0]]) + torch.rand(1, 3, generator=Generator().manual_seed(0))).requires_grad_()
    expected = torch.logit(0.05 + 0.9 * v / 8)
    (slope,) = torch.autograd.grad(expected.sum(), v)
    torch.testing.assert_close(logits, expected.detach())
    torch.testing.assert_close(nats, slope.log().sum(1))


def masses(model: Flow, x: Tensor) -> Tensor:
    """What the flow gives to images of two pixels, by the midpoint rule over u: (B,)"""
    line = (torch.arange(60) + 0.5) / 60
    level = to_levels(x, model.levels).flatten(1)[:, None]  # (B, 1, 2)
    share = 0.05 + 0.9 * (level + torch.cartesian_prod(line, line)) / model.levels  # (B, 3600, 2)
    slope = (0.9 / model.levels / (share * (1 - share))).log().sum(2)
    return (model.density(share.logit().view(-1, 1, 2, 1)).view(slope.shape) + slope).exp().mean(1)


def test_a_new_flow_gives_levels_what_the_normal_law_gives_their_logits() -> None:
    x = all_images((1, 2, 1), 3)
    edges = 0.05 + 0.9 * np.arange(4) / 3
    closed = torch.tensor(np.diff(norm.cdf(np.log(edges / (1 - edges)))))[to_levels(x, 3)].flatten(1).prod(1)
    model = models.load("realnvp")(Spec((1, 2, 1), levels=3), width=4, draws=4000)
    torch.testing.assert_close(masses(model, x), closed, rtol=1e-4, atol=0)
    assert (model.log_prob(x) - closed.log()).abs().max() < 0.05


@every_flow
def test_the_bound_is_below_the_exact_value_and_nears_it(variant: str) -> None:
    x, spec = all_images((1, 2, 1), 3), Spec((1, 2, 1), levels=3)
    exact, gaps, errors = masses(build(variant, spec), x).log(), [], []
    for draws in (1, 10, 100):
        model = build(variant, spec, draws=draws)
        assert model.bound and model.estimator == f"uniform dequantisation, {draws} draws"
        found = (exact - model.log_prob(x.repeat(200, 1, 1, 1)).view(200, 9)).mean(1)  # as many estimates
        gaps.append(found.mean())
        errors.append(found.std() / math.sqrt(200))
    assert gaps[0] > gaps[1] > gaps[2] > -2 * errors[2] and gaps[0] > 5 * errors[0] and gaps[2] < gaps[0] / 10


@every_flow
def test_bounds_of_all_images_sum_to_one_or_less(variant: str) -> None:
    model, x = build(variant, Spec((1, 3, 3), levels=2), draws=20), all_images((1, 3, 3), 2)
    loose = torch.stack([model.one_draw(x) for _ in range(20)]).mean(0).exp().sum()
    assert loose < model.log_prob(x).exp().sum() <= 1


# ---- layers


@pytest.mark.parametrize("dims", [1, 2, 5])
def test_a_mades_output_sees_what_comes_before_it_alone_and_all_of_that(dims: int) -> None:
    order = torch.randperm(dims) + 1
    net = masked.made(order, 3, width=40, depth=2)
    for layer in net:
        if isinstance(layer, masked.MaskedLinear):
            layer.weight.data.abs_()  # so that no path ends in a ReLU or is undone by another
            layer.bias.data.fill_(1)
    seen = torch.autograd.functional.jacobian(lambda x: net(x[None])[0], torch.rand(dims)) != 0  # (3, D, D)
    assert torch.equal(seen, (order[:, None] > order).expand(3, -1, -1))


def test_a_mades_masks_are_those_of_degrees() -> None:
    """Worked out by hand for figure 1's size: three inputs, and hidden degrees given."""
    first, second, last = masked.masks(torch.tensor([3, 1, 2]), [torch.tensor([2, 1, 2, 2]), torch.tensor([1, 2])], 2)
    assert first.int().tolist() == [[0, 1, 1], [0, 1, 0], [0, 1, 1], [0, 1, 1]]
    assert second.int().tolist() == [[0, 1, 0, 0], [1, 1, 1, 1]]
    assert last.int().tolist() == [[1, 1], [0, 0], [1, 0]] * 2


def test_masked_autoregression_sees_numbers_in_turn() -> None:
    model, x = build("maf", Spec((4,)), layers=1, width=30), torch.randn(20, 4).requires_grad_()
    seen = jacobians(model(x)[0], x).abs().sum(0).flip(0) > 0  # (4, 4); the layer turns its numbers round
    assert torch.equal(seen, torch.ones(4, 4).tril().bool())
    assert model.evaluations == 4


def test_splines_rise_and_leave_what_is_outside_the_box() -> None:
    layer = Spline(1, 3, bins=6, box=2.0, width=4, depth=1)
    told = torch.randn(1, 3, 17).expand(601, -1, -1)
    x = torch.linspace(-3, 3, 601)[:, None].repeat(1, 3).requires_grad_()
    y, log_slope = layer.bend(x, told)
    outside = x.abs() >= 2
    assert (y.diff(dim=0) > 0).all() and y[~outside].abs().max() < 2 and (y - x)[~outside].abs().max() > 0.2
    assert torch.equal(y[outside], x[outside]) and not log_slope[outside].any()
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0].log(), log_slope)
    torch.testing.assert_close(layer.unbend(y, told), x, rtol=1e-9, atol=1e-9)
    unmoved, flat = layer.bend(x, torch.zeros(601, 3, 17))
    torch.testing.assert_close(unmoved, x)
    torch.testing.assert_close(flat, torch.zeros_like(x))


def test_splines_pass_their_knots_at_their_slopes() -> None:
    """Gregory and Delbourgo's function as the paper has it, number by number."""
    told = torch.randn(1, 1, 8)  # three bins
    widths, heights = (4 * (0.001 + 0.997 * part.softmax(0)) for part in (told[0, 0, :3], told[0, 0, 3:6]))
    slopes = [1, *(0.001 + (told[0, 0, 6:] + math.log(math.e**0.999 - 1)).exp().log1p()).tolist(), 1]
    layer = Spline(1, 1, bins=3, box=2.0, width=4, depth=1)
    for k in range(3):
        w, h = widths[k].item(), heights[k].item()
        left, foot, s = widths[:k].sum().item() - 2, heights[:k].sum().item() - 2, h / w
        for xi in (1e-12, 0.3, 0.8):
            y, log_slope = layer.bend(torch.tensor([[left + xi * w]]), told)
            below = s + (slopes[k + 1] + slopes[k] - 2 * s) * xi * (1 - xi)
            above = slopes[k + 1] * xi**2 + 2 * s * xi * (1 - xi) + slopes[k] * (1 - xi) ** 2
            assert y.item() == pytest.approx(foot + h * (s * xi**2 + slopes[k] * xi * (1 - xi)) / below, rel=1e-9)
            assert log_slope.item() == pytest.approx(math.log(s**2 * above / below**2), rel=1e-7, abs=1e-9)


@every_flow
def test_hidden_units_are_left_out_in_training_alone(variant: str) -> None:
    model, x = build(variant, Spec((4,)), dropout=0.5), torch.randn(10, 4)
    plain = build(variant, Spec((4,)))
    assert torch.equal(model.log_prob(x), model.log_prob(x))
    torch.testing.assert_close(model.log_prob(x), plain.log_prob(x), rtol=0, atol=0)
    assert not torch.isclose(model.train().log_prob(x), model.log_prob(x)).any()


# ---- what does not fit


@every_coupling
def test_couplings_need_two_numbers(name: str) -> None:
    with pytest.raises(ValueError, match=r"two numbers or more, the data are of shape \(1,\): choose maf"):
        models.load(name)(Spec((1,)))
    assert models.load("maf")(Spec((1,)), width=4).log_prob(torch.zeros(3, 1)).isfinite().all()


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("realnvp", {"couplings": 0}, "couplings = 0: must be 1 or more"),
        ("maf", {"layers": 0}, "layers = 0: must be 1 or more"),
        ("maf", {"components": 0}, "components = 0: must be 1 or more"),
        ("maf", {"draws": 0}, "draws = 0: must be 1 or more"),
        ("realnvp", {"dropout": 1.0}, r"dropout = 1.0: must lie in \[0, 1\)"),
        ("spline_flow", {"bins": 0}, "bins = 0: must be 1 or more"),
        ("spline_flow", {"bins": 1000}, "bins = 1000: must be 999 or less"),
        ("spline_flow", {"box": -1.0}, "box = -1.0: must be above 0"),
        ("spline_flow", {"width": 0}, "width = 0: must be 1 or more"),
    ],
)
def test_bad_sizes_are_named(name: str, wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        models.load(name)(Spec((2,)), **wrong)


def test_levels_are_asked_for_where_there_are_levels() -> None:
    model = models.load("maf")(Spec((1, 2, 2), levels=4), width=4)
    with pytest.raises(ValueError, match="none of the 4 levels"):
        model.log_prob(torch.full((1, 1, 2, 2), 0.1))
