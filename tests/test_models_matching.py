"""Flow matching, rectified flow and MeanFlow against fields that are known in closed form.

From N(0, I) to N(m, s^2 I) with independent pairs, x_t has mean t m and in each dimension variance q = t^2 s^2 +
(1 - t)^2. The field is m + (t s^2 - (1 - t)) / q (x - t m), which carries x_0 to m + s x_0. What it cannot tell of the
velocity has variance s^2 / q, whose integral over t is s pi / 2.
"""

import math
from itertools import pairwise

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from test_models_moves import Nothing, follow, imagined
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import models
from models.common import ode
from models.common.assignment import assigned
from models.common.pixels import dequantised, from_levels
from models.common.protocol import Batch, Spec

pytestmark = pytest.mark.usefixtures("float64")
M, S = 1.5, 0.4
SOLVERS = {"euler": 1, "midpoint": 2, "heun": 2}  # and how often each asks in a step


class Known(nn.Module):
    """A net that answers with a function of x (B, *shape) and t (B, 1, ...)."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer, self.asked = answer, 0
        self.owned = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        self.asked += 1
        return self.answer(x, t.view(-1, *[1] * (x.dim() - 1)))


def gaussian_field(x: Tensor, t: Tensor) -> Tensor:
    return M + (t * S**2 - (1 - t)) / (t**2 * S**2 + (1 - t) ** 2) * (x - t * M)


def straight_field(x: Tensor, t: Tensor) -> Tensor:
    """Of pairs x_0 and m + s x_0."""
    return M + (S - 1) * (x - t * M) / (1 - t + t * S)


def known(
    name: str, answer: object = gaussian_field, shape: tuple[int, ...] = (2,), levels: int = 0, **hyper
) -> nn.Module:
    model = models.load(name)(Spec(shape, levels=levels), width=8, **hyper)
    model.net = Known(answer)
    return model


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_mean_of_the_target_is_the_closed_field() -> None:
    """The loss is s pi / 2 there, and the least: it does not change to first order whatever is added to the field."""
    torch.manual_seed(0)
    x = M + S * torch.randn(100_000, 2)
    model, loss = known("flow_matching"), []
    for _ in range(2):
        loss.append(model.matching_move(Batch(x, step=torch.tensor(0)))["model"].item())
    assert sum(loss) / 2 == pytest.approx(S * math.pi / 2, abs=0.01)
    shares = torch.zeros(3, requires_grad=True)
    directions = (lambda x, t: torch.ones_like(x), lambda x, t: x, lambda x, t: t * x**2)
    model.net.answer = lambda x, t: (
        gaussian_field(x, t) + sum(share * way(x, t) for share, way in zip(shares, directions, strict=True))
    )
    (slope,) = torch.autograd.grad(model.matching_move(Batch(x, step=torch.tensor(0)))["model"], shares)
    assert slope.abs().max() < 0.03


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_samples_follow_the_field(solver: str, power: float) -> None:
    model = known("flow_matching", solver=solver, power=power, evaluations=128)
    start = torch.randn(50, 2, generator=rng())
    assert torch.allclose(model.sample(50, None, rng()), M + S * start, atol=0.03)


def test_steps_grow_shorter_towards_the_data_by_the_power() -> None:
    assert known("flow_matching").grid(4, 2.0).tolist() == [0, 7 / 16, 12 / 16, 15 / 16, 1]


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_have_their_order(solver: str) -> None:
    """Of dx/dt = x cos t, which is solved by x exp(sin t)."""
    model = known("flow_matching", lambda x, t: x * t.cos(), solver=solver)
    start = torch.randn(50, 2, generator=rng())
    exact = start * math.exp(math.sin(1))
    errors = [(model.follow(start, asked=SOLVERS[solver] * n) - exact).abs().max() for n in (40, 80, 160)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(SOLVERS[solver], abs=0.1)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_net_is_asked_as_often_as_is_said(solver: str) -> None:
    model = known("flow_matching", solver=solver, evaluations=6)
    assert model.evaluations == 6
    for evaluations in (None, 1, 2, 3, 8):
        model.net.asked = 0
        first, again = (model.sample(4, None, rng(), evaluations=evaluations) for _ in range(2))
        assert torch.equal(first, again)
        asked = 6 if evaluations is None else max(1, evaluations // SOLVERS[solver] * SOLVERS[solver])
        assert model.net.asked == 2 * asked == 2 * model.asks(evaluations or 6)
    with pytest.raises(ValueError, match="evaluations = 0: must be 1 or more"):
        model.sample(4, None, rng(), evaluations=0)


def test_images_stay_in_their_range_and_points_do_not() -> None:
    points, images = (known("flow_matching", lambda x, t: 0 * x + 9, shape) for shape in ((2,), (1, 2, 2)))
    assert points.sample(50, None, rng()).min() > 4 and (images.sample(50, None, rng()) == 1).all()


def test_the_spread_of_data_is_that_about_zero() -> None:
    model, x = known("flow_matching"), 3 + torch.randn(20_000, 2, generator=rng())
    model.matching_move(Batch(x, step=torch.tensor(0)))
    assert model.spread.item() == pytest.approx(math.sqrt(3**2 + 1), rel=0.01)


@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(2,), (1, 2, 2)])
def test_the_density_is_the_gaussians(shape: tuple[int, ...], spread: float) -> None:
    model = known("flow_matching", shape=shape, nodes=40)
    model.spread.fill_(spread)
    x = M + S * torch.randn(9, *shape, generator=rng())
    exact = torch.distributions.Normal(M, S).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(model.log_prob(x), exact, atol=2e-3)
    assert not model.bound and model.estimator == "ODE, 40 divergences"


def test_a_rough_likelihood_has_one_probe_for_each_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which tells all of a Gaussian's, whose velocity's Jacobian is a number times the identity. Of few dimensions it
    is the likelihood itself."""
    few, many = (known("flow_matching", shape=shape) for shape in ((2,), (1, 5, 5)))
    x, images = torch.randn(9, 2, generator=rng()), torch.randn(9, 1, 5, 5, generator=rng())
    assert torch.equal(few.rough_log_prob(x), few.log_prob(x))
    exact = many.log_prob(images)
    monkeypatch.setattr(ode, "with_divergence", None)
    assert torch.allclose(many.rough_log_prob(images), exact, rtol=1e-9)


def test_pixels_have_the_density_where_they_are_dequantised_times_their_volume() -> None:
    model = known("flow_matching", shape=(1, 2, 2), levels=5, nodes=40)
    x = from_levels(torch.randint(5, (9, 1, 2, 2), generator=rng()), 5, like=torch.zeros(()))
    inside = dequantised(x, 5, rng())
    assert (inside - x).abs().max() <= 1 / 4
    exact = torch.distributions.Normal(M, S).log_prob(inside).flatten(1).sum(1) + 4 * math.log(1 / 2)
    assert torch.allclose(model.log_prob(x), exact, rtol=1e-3)
    assert model.bound and model.estimator.startswith("dequantised")


class Mixture(nn.Module):
    """A perfect net for 8 Gaussians of s.d. s on a circle: EDM's, whose sigma_data is 1, or flow matching's velocity.
    Of each Gaussian what is wanted is linear in x; what is not known is which one it is."""

    def __init__(self, name: str, s: float) -> None:
        super().__init__()
        self.name, self.s, self.owned = name, s, nn.Parameter(torch.zeros(()))
        angle = torch.arange(8) * math.pi / 4
        self.centres = 2 * torch.stack([angle.cos(), angle.sin()], 1)

    def log_density(self, x: Tensor) -> Tensor:
        squared = torch.cdist(x, self.centres).square()
        return (-0.5 * squared / self.s**2 - math.log(2 * math.pi * self.s**2) - math.log(8)).logsumexp(1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        t = t[0]
        if self.name == "edm":  # told x / sqrt(sigma^2 + 1), and wanted (D - c_skip x) / c_out
            sigma = (4 * t).exp()
            total = sigma**2 + 1
            x = x * total.sqrt()
            share = self.share(x, self.centres, self.s**2 + sigma**2)
            datum = share @ self.centres * sigma**2 / (self.s**2 + sigma**2)
            datum = datum + x * self.s**2 / (self.s**2 + sigma**2)
            return (datum - x / total) * total.sqrt() / sigma
        q = t**2 * self.s**2 + (1 - t) ** 2
        slope = (t * self.s**2 - (1 - t)) / q
        share = self.share(x, t * self.centres, q)
        return (1 - slope * t) * (share @ self.centres) + slope * x

    def share(self, x: Tensor, centres: Tensor, variance: Tensor) -> Tensor:
        return (-0.5 * torch.cdist(x, centres).square() / variance).softmax(1)  # (B, 8)


@pytest.mark.parametrize("name", ["edm", "flow_matching"])
def test_the_density_of_points_is_the_mixtures(name: str) -> None:
    """Where ways part, which one Gaussian has not: the default number of divergences is enough for tables."""
    torch.manual_seed(0)
    model = models.load(name)(Spec((2,)), width=8)
    model.net = Mixture(name, 0.05)
    (model.sigma_data if name == "edm" else model.spread).fill_(1.0)
    x = model.net.centres[torch.randint(8, (200,))] + 0.05 * torch.randn(200, 2)
    off = model.log_prob(x) - model.net.log_density(x)
    assert off.mean().abs() < 0.005 and off.abs().max() < 0.2


def cost(one: Tensor, other: Tensor) -> float:
    return (one - other).square().sum().item() / len(one)


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_an_assignment_is_a_permutation_and_no_dearer(size: int) -> None:
    data, noise = torch.randn(size, 1, 3, 3, generator=rng()), torch.randn(size, 1, 3, 3, generator=rng(1))
    for rounds in (0, 1, size // 2, 3 * size):
        held = assigned(noise, data, rounds)
        assert held.shape == noise.shape
        order = torch.cdist(held.flatten(1), noise.flatten(1)).argmin(1)
        assert torch.equal(held, noise[order]) and sorted(order.tolist()) == list(range(size))
        assert cost(held, data) <= cost(noise, data) + 1e-12


def test_numbers_on_a_line_are_sorted() -> None:
    """The best assignment there, and the only one that no swap shortens."""
    data, noise = torch.randn(20, 1, generator=rng()), torch.randn(20, 1, generator=rng(1))
    held = assigned(noise, data, 400)
    assert torch.equal(held[data[:, 0].argsort()], noise.sort(0).values)


def test_half_as_many_rounds_as_data_come_near_the_best() -> None:
    angle = torch.arange(256) % 8 * math.pi / 4
    data = 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.02 * torch.randn(256, 2, generator=rng())
    noise = torch.randn(256, 2, generator=rng(1))
    squared = torch.cdist(data, noise).square()
    best = squared[linear_sum_assignment(squared)].mean().item()
    assert best <= cost(assigned(noise, data, 128), data) < 1.05 * best
    assert cost(noise, data) > 3 * best


def test_ot_matches_noise_with_data_before_it_learns() -> None:
    """To a net that answers 0 the loss is the mean squared way, which on a line is the least of sorted pairs."""
    data = torch.randn(40, 1, generator=rng()) + 3
    found = {}
    for coupling in ("ot", "independent"):
        model = known("flow_matching", lambda x, t: 0 * x, shape=(1,), coupling=coupling, rounds=400)
        torch.manual_seed(5)
        found[coupling] = model.matching_move(Batch(data, step=torch.tensor(0)))["model"].item()
    torch.manual_seed(5)
    noise = torch.randn(40, 1)
    least = (noise.sort(0).values - data.sort(0).values).square().mean().item()
    assert found["ot"] == pytest.approx(least) and found["independent"] == pytest.approx(cost(noise, data))
    assert least < 0.95 * cost(noise, data)


@pytest.mark.parametrize(("name", "hyper"), [("flow_matching", {"coupling": "ot"}), ("rectified_flow", {})])
def test_pairs_without_labels_are_refused_where_labels_are_told(name: str, hyper: dict) -> None:
    with pytest.raises(ValueError, match=r"^(coupling = 'ot'|conditional = True): "):
        models.load(name)(Spec((2,), classes=3), conditional=True, **hyper)


def test_guidance_0_is_unconditional() -> None:
    model = models.load("flow_matching")(Spec((2,), classes=3), conditional=True, width=8, evaluations=4)
    one, two = torch.zeros(5, dtype=torch.int64), torch.ones(5, dtype=torch.int64)
    samples = [[model.sample(5, label, rng(), guidance=w) for label in (one, two)] for w in (0.0, 1.0, 3.0)]
    assert torch.equal(*samples[0])
    assert not torch.equal(*samples[1]) and not torch.equal(samples[1][0], samples[2][0])
    assert model.evaluations == 4 and model.sweeps.keys() == {"evaluations", "guidance"}
    assert model.asks(model.budget(None, 3.0)[0]) == 4, "guided samples take no fewer steps"


def test_gradients_are_clipped() -> None:
    model = known("flow_matching", clip=0.5)
    model.net.net = model.net  # as an average would have it
    (optimizer,) = model.optimizers().values()
    model.net.owned.grad = torch.tensor(7.0)
    optimizer.step()
    assert model.net.owned.grad.item() == pytest.approx(0.5, rel=1e-5)


# ---- rectified flow


def test_pairs_are_made_once_by_the_flow_itself() -> None:
    model = known("rectified_flow", first=3, pairs=50, pair_evaluations=64)
    names = [[move.__name__ for move in model.moves(step)] for step in range(6)]
    assert names == [["matching_move"]] * 3 + [["pairing_move"]] + [["straightening_move"]] * 2
    model.pairing_move(Batch(torch.zeros(4, 2)))
    assert model.training and torch.allclose(model.made, M + S * model.noise, atol=2e-3)
    noise, made = model.noise.clone(), model.made.clone()
    model.straightening_move(Batch(torch.zeros(4, 2)))
    assert torch.equal(model.noise, noise) and torch.equal(model.made, made)


def test_pairs_are_made_by_the_average_of_the_weights() -> None:
    model = models.load("rectified_flow")(Spec((2,)), width=8, first=1, pairs=5, pair_evaluations=8).train()
    for net, shift in ((model.net.net, 7.0), (model.net.mean, 3.0)):
        for weight in net.parameters():
            nn.init.zeros_(weight)
        nn.init.constant_(net.last.bias, shift)
    model.pairing_move(Batch(torch.zeros(4, 2)))
    assert torch.allclose(model.made, model.noise + 3)


def test_straightened_paths_need_one_step() -> None:
    """From x_0 to m + s x_0, x_t - t m is a x_0 with a = 1 - t + t s. The field of independent pairs is off there, by
    (s - 1 - a (t s^2 - (1 - t)) / q) x_0; that of these pairs is not, and a single step of it is exact."""
    torch.manual_seed(0)
    model = known("rectified_flow", pairs=10_000, pair_evaluations=128)
    batch, t = Batch(torch.zeros(200_000, 2)), torch.linspace(0, 1, 10_001)
    slope = (t * S**2 - (1 - t)) / (t**2 * S**2 + (1 - t) ** 2)
    crooked = torch.trapezoid((S - 1 - (1 - t + t * S) * slope) ** 2, t).item()
    assert model.pairing_move(batch)["model"].item() == pytest.approx(crooked, rel=0.04)
    straight = known("rectified_flow", straight_field)
    start = torch.randn(5, 2, generator=rng())
    assert torch.allclose(straight.sample(5, None, rng(), evaluations=1), M + S * start)
    model.net.answer = straight_field
    assert model.straightening_move(batch)["model"].item() < 1e-4


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_no_later_move_reads_a_value_back(device: str) -> None:
    model = models.load("rectified_flow")(Spec((2,)), width=8, first=1, pairs=10, pair_evaluations=4)
    with FakeTensorMode():
        imagined(model, device)
        batch = Batch(torch.randn(4, 2, device=device), step=torch.zeros((), dtype=torch.int64, device=device))
        with Nothing():
            for step in (1, 2):
                follow(*model.moves(step), batch, model.optimizers() if device == "cpu" else {})


# ---- MeanFlow: z' = a z is solved by z(r) = z(t) exp(-a (t - r))

A = 1.3


def linear_mean(z: Tensor, t: Tensor, r: Tensor) -> Tensor:
    """The mean of a z from r to t, a z itself where they are the same."""
    way = (t - r)[:, None]
    return torch.where(way == 0, A * z, z * -torch.expm1(-A * way) / way.where(way != 0, 1.0))


def mean_flow(**hyper: object) -> nn.Module:
    return models.load("mean_flow")(Spec((2,)), width=8, **hyper)


def test_the_identity_holds_for_a_field_that_is_known() -> None:
    """u = v - (t - r) du/dt, with v = a z."""
    model = mean_flow()
    model.velocity = linear_mean
    z, r = torch.randn(6, 2, generator=rng()), torch.rand(6, generator=rng(1))
    t = r + 0.1 + torch.rand(6, generator=rng(2))
    change = model.change(z, A * z, t, r)
    assert torch.allclose(A * z - (t - r)[:, None] * change, linear_mean(z, t, r))


def test_the_derivative_is_forward_modes() -> None:
    model = mean_flow()
    z, v, t, r = torch.randn(6, 2), torch.randn(6, 2), torch.rand(6), torch.rand(6)
    _, exact = torch.func.jvp(model.velocity, (z, t, r), (v, torch.ones(6), torch.zeros(6)))
    assert torch.allclose(model.change(z, v, t, r), exact)


@pytest.mark.parametrize("evaluations", [1, 2, 4])
def test_mean_velocities_are_followed_exactly(evaluations: int) -> None:
    model = mean_flow()
    model.velocity = linear_mean
    assert model.evaluations == 1 and model.sweeps == {"evaluations": (1, 2, 4, 8)}
    start = torch.randn(5, 2, generator=rng())
    assert torch.allclose(model.sample(5, None, rng(), evaluations=evaluations), math.exp(-A) * start)
    with pytest.raises(ValueError, match="evaluations = 0: must be 1 or more"):
        model.sample(5, None, rng(), evaluations=0)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_errors_are_weighted_by_a_power_of_themselves(p: float) -> None:
    """Of data 0, v is the noise, and so is the error of the answer 0; its weight has no gradient."""
    model = mean_flow(p=p, apart=0.0)
    share = torch.zeros((), requires_grad=True)
    model.velocity = lambda z, t, r: share + 0 * z + 0 * t[:, None]
    torch.manual_seed(3)
    loss = model.mean_velocity_move(Batch(torch.zeros(40, 2)))["model"]
    torch.manual_seed(3)
    v = torch.randn(40, 2)
    weight = (v.square().sum(1) + 1e-3) ** -p
    torch.testing.assert_close(loss, (weight * v.square().sum(1)).mean())
    torch.testing.assert_close(torch.autograd.grad(loss, share)[0], (weight * -2 * v.sum(1)).mean())


def test_the_target_is_the_identitys_where_times_lie_apart() -> None:
    """Of one datum, 0, all velocity is noise: z = t e, v = e = z / t, and the mean velocity is e, too."""
    model = mean_flow(p=0.0, apart=0.5)
    model.velocity = lambda z, t, r: z / t[:, None]
    assert model.mean_velocity_move(Batch(torch.zeros(40, 2)))["model"].item() < 1e-20


def test_the_target_is_less_what_changes_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of data 0 and the answer u = z = t e, du/dt is the noise e: u is to be e - (t - r) e, and e where t is r."""
    model, t, r = mean_flow(p=0.0, apart=0.5), torch.full((40,), 0.8), torch.tensor([0.3] * 20 + [0.8] * 20)
    model.velocity = lambda z, t, r: z + 0 * t[:, None]
    monkeypatch.setattr(model, "drawn_times", lambda x, apart: (t, r))
    torch.manual_seed(3)
    loss = model.mean_velocity_move(Batch(torch.zeros(40, 2)))["model"]
    torch.manual_seed(3)
    off = (t - (1 - (t - r)))[:, None] * torch.randn(40, 2)
    torch.testing.assert_close(loss, off.square().sum(1).mean())


def test_the_net_is_told_where_it_is_and_how_far_it_goes() -> None:
    model, told = mean_flow(haste=3.0), []
    model.net.register_forward_pre_hook(lambda _, args: told.append(args[1]))
    model.velocity(torch.zeros(2, 2), torch.tensor([0.9, 0.5]), torch.tensor([0.2, 0.5]))
    torch.testing.assert_close(told[0], 3 * torch.tensor([[0.9, 0.7], [0.5, 0.0]]))


def test_times_are_ordered_and_partly_apart() -> None:
    t, r = mean_flow(logit=(-0.4, 1.0)).drawn_times(torch.zeros(20_000, 2), 5_000)
    assert (t[:5000] > r[:5000]).all() and torch.equal(t[5000:], r[5000:])
    both = torch.cat([t[:5000], r[:5000]]).logit()
    assert both.mean().item() == pytest.approx(-0.4, abs=0.05) and both.std().item() == pytest.approx(1, abs=0.05)
