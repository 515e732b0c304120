"""The folder listing is the registry; nets, losses and likelihoods against known answers."""

import contextlib
import math

import mpmath
import pytest
import torch
from test_models_contract import fitting
from torch import Generator, nn

import models
from models.common import likelihoods, losses, nets, optimizers
from models.common.pixels import dequantised, from_levels, to_levels
from models.common.protocol import Spec

DOUBLE = torch.float64


def test_names_are_the_files() -> None:
    assert {"ae", "cgan", "gan", "pixelcnn", "vae", "wgan", "wgan_gp"} <= set(models.names())
    assert "common" not in models.names() and models.names() == sorted(models.names())


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'wgan_pg': did you mean 'wgan_gp'\?"):
        models.load("wgan_pg")
    with pytest.raises(ValueError, match="there are aae, ae, "):
        models.load("qqqq")


def test_hyperparameters_are_a_files_own_and_those_of_what_it_builds_on() -> None:
    shared = set(models.hyperparameters(models.load("vae")))
    assert {"latent", "importance", "likelihood", "sample_mean", "lr", "nets", "width", "depth"} == shared
    for name, own in {"beta_vae": {"beta", "annealing"}, "iwae": {"k"}, "dvae": {"noise", "level"}}.items():
        assert set(models.hyperparameters(models.load(name))) == shared | own
    both = {"lr", "width", "depth"}
    assert set(models.hyperparameters(models.load("pixelrnn"))) == both | {"layer"}
    assert set(models.hyperparameters(models.load("pixelcnn"))) == both | {"gated", "conditional"}
    assert models.hyperparameters(models.load("avb"))["latent"].default == 8, "the nearest declaration counts"
    assert models.hyperparameters(models.load("independent")) == {}


@pytest.mark.parametrize(
    ("size", "left", "halvings"), [(8, 2, 2), (28, 7, 2), (32, 4, 3), (64, 4, 4), (6, 3, 1), (16, 4, 2)]
)
def test_images_are_halved_to_a_few_pixels(size: int, left: int, halvings: int) -> None:
    spec = Spec((3, size, size))
    channels, low = nets.pyramid(spec, width=128)
    assert low == (left, left) and channels == [3, *(32 * 2**i for i in range(halvings))]
    x = torch.zeros(2, *spec.shape)
    assert nets.encoder(spec, 5, width=8, depth=1)(x).shape == (2, 5)
    assert nets.scorer(spec, width=8, depth=1)(x).shape == (2,)
    assert nets.decoder(spec, 5, width=8, depth=1)(torch.zeros(2, 5)).shape == x.shape


def test_odd_images_are_refused() -> None:
    with pytest.raises(ValueError, match="27x27"):
        nets.encoder(Spec((1, 27, 27)), 1, width=8, depth=1)


def test_points_get_the_depth_asked_for() -> None:
    net = nets.encoder(Spec((2,)), 5, width=16, depth=4)
    assert [layer.weight.shape for layer in net if isinstance(layer, nn.Linear)] == [(16, 2), *[(16, 16)] * 3, (5, 16)]


@pytest.mark.parametrize("shape", [(3, 2), (3, 1, 2, 2)])
def test_labels_enter_one_hot(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    labelled = nets.with_label(x, torch.tensor([0, 3, 1]), 4)
    assert labelled.shape[1:] == nets.with_classes(Spec(shape[1:], classes=4)).shape
    assert torch.equal(labelled[:, : shape[1]], x)
    one_hot = nn.functional.one_hot(torch.tensor([0, 3, 1]), 4).float().view(3, 4, *[1] * (len(shape) - 2))
    assert torch.equal(labelled[:, shape[1] :], one_hot.expand(3, 4, *shape[2:]))


def test_gan_losses_are_the_papers_formulas() -> None:
    real, fake = torch.tensor([0.3, -2.0, 4.0], dtype=DOUBLE), torch.tensor([1.5, -0.7], dtype=DOUBLE)
    assert losses.classification(real, fake) == pytest.approx(
        -sum(math.log(1 / (1 + math.exp(-v))) for v in real.tolist()) / 3
        - sum(math.log(1 - 1 / (1 + math.exp(-v))) for v in fake.tolist()) / 2
    )
    assert losses.minimax(fake) == pytest.approx(sum(math.log(1 - 1 / (1 + math.exp(-v))) for v in fake.tolist()) / 2)
    assert losses.non_saturating(fake) == pytest.approx(
        -sum(math.log(1 / (1 + math.exp(-v))) for v in fake.tolist()) / 2
    )
    assert losses.classification(torch.zeros(4), torch.zeros(4)).item() == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize("score", [-40.0, 0.0, 40.0])
def test_minimax_saturates_where_the_critic_is_sure_and_the_other_does_not(score: float) -> None:
    slopes = {}
    for loss in (losses.minimax, losses.non_saturating):
        fake = torch.tensor([score], dtype=DOUBLE, requires_grad=True)
        loss(fake).backward()
        slopes[loss] = fake.grad.item()
    certainty = 1 / (1 + math.exp(-score))
    assert slopes[losses.minimax] == pytest.approx(-certainty)
    assert slopes[losses.non_saturating] == pytest.approx(certainty - 1)


@pytest.mark.parametrize("shape", [(7, 3), (7, 1, 4, 4)])
def test_the_penalty_of_a_linear_critic_is_its_slope_from_one(shape: tuple[int, ...]) -> None:
    weight = torch.randn(math.prod(shape[1:]), dtype=DOUBLE, requires_grad=True)
    real, fake = torch.randn(shape, dtype=DOUBLE), torch.randn(shape, dtype=DOUBLE)
    penalty = losses.gradient_penalty(lambda x: x.flatten(1) @ weight, real, fake)
    norm = weight.detach().norm()
    assert penalty.item() == pytest.approx((norm.item() - 1) ** 2)
    (grad,) = torch.autograd.grad(penalty, weight)
    assert torch.allclose(grad, 2 * (norm - 1) * weight.detach() / norm)


def test_the_penalty_looks_between_real_and_fake() -> None:
    real, fake, seen = torch.zeros(1000, 2), torch.ones(1000, 2), []

    def critic(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach())
        return x.square().sum(1)

    losses.gradient_penalty(critic, real, fake)
    share = seen[0]
    assert torch.equal(share[:, 0], share[:, 1]) and share.min() >= 0 and share.max() <= 1
    assert share.mean().item() == pytest.approx(0.5, abs=0.05) and share.var().item() == pytest.approx(1 / 12, rel=0.2)


def test_kl_is_that_of_torch_and_zero_for_the_prior() -> None:
    mean, log_variance = torch.randn(50, 4, dtype=DOUBLE), torch.randn(50, 4, dtype=DOUBLE)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    kl = losses.kl_to_standard_normal(mean, log_variance)
    assert torch.allclose(kl, torch.distributions.kl_divergence(posterior, prior).sum(1)) and (kl >= 0).all()
    assert losses.kl_to_standard_normal(torch.zeros(1, 4), torch.zeros(1, 4)) == 0


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
@pytest.mark.parametrize("log_scale", [-7.0, -1.0, 3.0])
@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.03, 1.0])
def test_discretised_logistic_sums_to_one_over_the_levels(levels: int, log_scale: float, mean: float) -> None:
    likelihood = likelihoods.Logistic(levels).double()
    likelihood.set_scale(log_scale)
    x = from_levels(torch.arange(levels), levels, like=torch.zeros((), dtype=DOUBLE)).view(-1, 1, 1, 1)
    out = torch.full_like(x, mean, requires_grad=True)
    nats = likelihood.log_prob(x, out)
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-12)
    nats.sum().backward()
    assert out.grad.isfinite().all() and likelihood.steps.grad.isfinite()


def test_bernoulli_is_binary_cross_entropy() -> None:
    out = torch.randn(4, 1, 3, 3, dtype=DOUBLE) * 5
    x = 2.0 * torch.randint(2, out.shape).double() - 1
    expected = -nn.functional.binary_cross_entropy_with_logits(out, (x + 1) / 2, reduction="none").flatten(1).sum(1)
    assert torch.allclose(likelihoods.Bernoulli().log_prob(x, out), expected)


def test_gaussian_is_torchs() -> None:
    likelihood = likelihoods.Gaussian().double()
    likelihood.set_scale(-1.3)
    x, out = torch.randn(4, 3, dtype=DOUBLE), torch.randn(4, 3, dtype=DOUBLE)
    expected = torch.distributions.Normal(out, math.exp(-1.3)).log_prob(x).sum(1)
    assert torch.allclose(likelihood.log_prob(x, out), expected)


@pytest.mark.parametrize(
    ("name", "levels"), [("bernoulli", 2), ("logistic", 2), ("logistic", 5), ("gaussian", 2), ("gaussian", 5)]
)
def test_draws_follow_the_likelihood_they_are_scored_by(name: str, levels: int) -> None:
    likelihood = likelihoods.of(Spec((1, 1, 1), levels=levels), name).double()
    if name != "bernoulli":
        likelihood.set_scale(-0.7)
    grid = from_levels(torch.arange(levels), levels, like=torch.zeros((), dtype=DOUBLE)).view(-1, 1, 1, 1)
    expected = likelihood.log_prob(grid, torch.full_like(grid, 0.4)).exp()
    drawn = likelihood.draw(torch.full((40000, 1, 1, 1), 0.4, dtype=DOUBLE), Generator().manual_seed(0))
    found = torch.bincount(to_levels(drawn, levels).flatten(), minlength=levels) / len(drawn)
    assert torch.allclose(found.double(), expected, atol=0.012)


def test_means_are_those_of_the_law() -> None:
    """White with the probability 1 / (1 + exp(-out)), black else; a normal number, whose draws are as wide as said."""
    out, n = 0.4, 40_000
    pixels = likelihoods.Bernoulli().mean(torch.full((1, 1, 1, 1), out, dtype=DOUBLE))
    assert pixels.item() == pytest.approx(2 / (1 + math.exp(-out)) - 1)
    gaussian = likelihoods.Gaussian().double()
    gaussian.set_scale(-0.7)
    many = torch.full((n, 1), out, dtype=DOUBLE)
    drawn = gaussian.draw(many, Generator().manual_seed(0))
    assert torch.equal(gaussian.mean(many), many) and drawn.mean().item() == pytest.approx(out, abs=5 * 0.5 / n**0.5)
    assert drawn.std().item() == pytest.approx(math.exp(-0.7), rel=0.02)


@pytest.mark.parametrize("name", ["logistic", "gaussian"])
@pytest.mark.parametrize("out", [-30.0, -1.0, 0.3, 30.0])
@pytest.mark.parametrize("log_scale", [-5.0, 0.0])
def test_levels_sum_to_one_and_far_ones_have_gradients(name: str, out: float, log_scale: float) -> None:
    likelihood = likelihoods.of(Spec((1, 1, 1), levels=17), name).double()
    likelihood.set_scale(log_scale)
    grid = from_levels(torch.arange(17), 17, like=torch.zeros((), dtype=DOUBLE)).view(-1, 1, 1, 1)
    at = torch.full_like(grid, out, requires_grad=True)
    nats = likelihood.log_prob(grid, at)
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-9)
    (slope,) = torch.autograd.grad(nats.sum(), at)
    assert nats.isfinite().all() and slope.isfinite().all()
    near = likelihood.log_prob(grid, torch.full_like(grid, out + 1e-6)) - nats
    assert torch.allclose(slope.flatten(), near.detach() / 1e-6, rtol=1e-3, atol=1e-3)


def exact_log_mass(law: str, lower: float, upper: float) -> mpmath.mpf:
    """log(F(upper) - F(lower)) to fifty digits, by the half in which F is small."""
    with mpmath.workdps(50):
        cdf = mpmath.ncdf if law == "gaussian" else lambda z: 1 / (1 + mpmath.exp(-z))
        low, high = (-upper, -lower) if lower + upper > 0 else (lower, upper)
        return mpmath.log(cdf(high) - (0 if low == -math.inf else cdf(low)))


@pytest.mark.parametrize("law", ["logistic", "gaussian"])
@pytest.mark.parametrize("log_scale", [-7.0, -4.0, -1.0, 0.0, 3.0])
def test_discretised_likelihoods_to_fifty_digits(law: str, log_scale: float) -> None:
    """Inner and outermost bins, at the mean and far from it, where only a logarithm can hold the mass."""
    levels, scale = 256, mpmath.exp(mpmath.mpf(log_scale))
    likelihood = likelihoods.of(Spec((1, 1, 1), levels=levels), law).double()
    likelihood.set_scale(log_scale)
    for level in (0, 1, 100, 254, 255):
        for out in (-1.7, -1.0, -0.217, 0.0, 0.99, 1.3):
            x = from_levels(torch.tensor(level), levels, like=torch.zeros((), dtype=DOUBLE)).view(1, 1, 1, 1)
            found = likelihood.log_prob(x, torch.full_like(x, out)).item()
            with mpmath.workdps(50):
                away = mpmath.mpf(x.item()) - mpmath.mpf(out)
                lower = -math.inf if level == 0 else (away - mpmath.mpf(1) / 255) / scale
                upper = math.inf if level == 255 else (away + mpmath.mpf(1) / 255) / scale
            expected = exact_log_mass(law, lower, upper)
            assert abs(found - expected) < 1e-12 * max(1, abs(expected)), (level, out)


@pytest.mark.parametrize("lr", [1e-4, 1e-2])
@pytest.mark.parametrize("levels", [0, 17])
def test_a_scale_moves_at_a_rate_of_its_own(levels: int, lr: float) -> None:
    """Adam's steps are about its rate where the gradient keeps its sign: here 0.003, a hundred times."""
    likelihood, x = likelihoods.of(Spec((1, 2, 2), levels=levels), "gaussian", lr), torch.ones(3, 1, 2, 2)
    optimizer = optimizers.adam(likelihood.parameters(), lr)
    likelihood.set_scale(0.0)
    for _ in range(100):
        optimizer.zero_grad()
        (-likelihood.log_prob(x, x)).sum().backward()
        optimizer.step()
    assert likelihood.log_scale.item() == pytest.approx(-0.3, abs=0.03)


def test_a_scale_begins_below_the_spread_of_data() -> None:
    for levels in (0, 17):
        for lr in (1e-4, 1e-2):
            scale = likelihoods.of(Spec((1, 2, 2), levels=levels), "gaussian", lr).log_scale.exp()
            assert scale.item() == pytest.approx(0.3)


def test_every_adversary_learns_at_the_rate_and_with_the_moments_that_are_asked_for() -> None:
    asked, found = {"lr": 0.011, "critic_lr": 0.012, "beta1": 0.3, "beta2": 0.7, "width": 8}, set()
    for name in models.names():
        taken = models.hyperparameters(models.load(name)).keys()
        if "beta1" in taken:
            model = models.build(name, fitting(name), {key: asked[key] for key in asked.keys() & taken})
            for player, optimizer in model.optimizers().items():
                own = "critic_lr" in taken and player.startswith("critic")
                group = optimizer.param_groups[0]
                assert group["betas"] == (0.3, 0.7) and group["lr"] == asked["critic_lr" if own else "lr"], name
                found.add((name, player))
    assert {("avb", "critic"), ("unrolled_gan", "critic"), ("cyclegan_warp", "critics"), ("gan", "generator")} <= found
    for name, alpha in (("wgan", 0.99), ("vae_gan", 0.9)):
        for optimizer in models.load(name)(Spec((2,)), lr=0.011, width=8).optimizers().values():
            group = optimizer.param_groups[0]
            assert (group["lr"], group["alpha"]) == (0.011, alpha)


def test_every_model_with_a_scale_tells_it_the_rate_of_its_net() -> None:
    spec = {"points": Spec((2,), 4), "images": Spec((1, 8, 8), 10, 17), "clips": Spec((6, 1, 8, 8), 10, 17, seen=2)}
    specs = [*spec.values(), spec["images"]._replace(words=9)]
    found = set()
    for name in models.names():
        for each in specs if "lr" in models.hyperparameters(models.load(name)) else ():
            with contextlib.suppress(ValueError):  # data that it is not for
                built = models.build(name, each, {"lr": 0.0123})
                scales = [part for part in built.modules() if isinstance(part, likelihoods.Scaled)]
                learned = [scale for scale in scales if scale.steps.requires_grad]
                assert all(scale.unit == likelihoods.RATE / 0.0123 for scale in learned), name
                found |= {name} if learned else set()
    assert {"vae", "iwae", "cvae", "structured_cvae", "avb", "vq_vae", "svg", "frame_vae", "caption_vae"} <= found


@pytest.mark.parametrize("law", ["logistic", "gaussian"])
@pytest.mark.parametrize("log_scale", [-3.0, -1.0, 1.0])
def test_gradients_of_discretised_likelihoods(law: str, log_scale: float) -> None:
    likelihood = likelihoods.of(Spec((3, 2, 2), levels=9), law).double()
    x = from_levels(torch.randint(9, (4, 3, 2, 2)), 9, like=torch.zeros((), dtype=DOUBLE))
    x[0], x[1] = 1.0, -1.0
    out = torch.randn(x.shape, dtype=DOUBLE, requires_grad=True)

    def log_prob(out: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(likelihood, {"tenth": log_scale / 10}, (x, out))

    likelihood.forward = likelihood.log_prob
    assert torch.autograd.gradcheck(log_prob, (out, torch.tensor(log_scale, dtype=DOUBLE, requires_grad=True)))


def test_a_far_gradient_of_the_discretised_gaussian_is_the_distance_over_the_variance() -> None:
    """In float32, too: a thousand scales away the mass is that of the near edge alone, whose slope is its distance."""
    likelihood = likelihoods.DiscretisedGaussian(256)
    likelihood.set_scale(math.log(1e-3))
    out = torch.zeros(1, 1, 1, 1, requires_grad=True)
    nats = likelihood.log_prob(torch.ones_like(out) - 2 / 255, out)
    (slope,) = torch.autograd.grad(nats.sum(), out)
    edge = 1 - 3 / 255
    assert slope.item() == pytest.approx(edge / 1e-6, rel=1e-4)
    assert nats.item() == pytest.approx(-0.5 * (edge / 1e-3) ** 2, rel=1e-4)


def test_a_likelihood_follows_the_levels_and_refuses_what_does_not_fit() -> None:
    fitting = {0: likelihoods.Gaussian, 2: likelihoods.Bernoulli, 17: likelihoods.Logistic}
    for levels, kind in fitting.items():
        assert isinstance(likelihoods.of(Spec((1, 4, 4), levels=levels)), kind)
    assert isinstance(likelihoods.of(Spec((1, 4, 4), levels=17), "gaussian"), likelihoods.DiscretisedGaussian)
    with pytest.raises(ValueError, match=r"bernoulli does not fit data of 17 levels.*choose logistic or gaussian"):
        likelihoods.of(Spec((1, 4, 4), levels=17), "bernoulli")
    with pytest.raises(ValueError, match=r"logistic does not fit continuous data of shape \(2,\): choose gaussian"):
        likelihoods.of(Spec((2,)), "logistic")


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_survive_the_round_trip(levels: int) -> None:
    level = torch.arange(levels)
    x = from_levels(level, levels, like=torch.zeros(()))
    assert x.min() == -1 and x.max() == 1 and torch.equal(to_levels(x, levels), level)


def test_levels_made_continuous_fill_the_way_to_their_neighbours() -> None:
    """Uniform over 1/2, the step of five levels from -1 to 1, about each."""
    level = torch.full((40_000,), 0.5, dtype=DOUBLE)
    apart = dequantised(level, 5, Generator().manual_seed(0)) - level
    assert 0.249 < apart.abs().max() <= 0.25 and apart.var().item() == pytest.approx(0.5**2 / 12, rel=0.02)
    assert torch.equal(dequantised(level, 0), level)
