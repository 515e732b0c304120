"""VAE and IWAE: bounds that are bounds."""

import math

import pytest
import torch
from torch import Generator, nn

import models
from models.common.codes import Code
from models.common.protocol import Batch, Spec

D, LATENT, SCALE = 3, 2, 0.7


def linear_gaussian(name: str, **hyper: object) -> nn.Module:
    """x = W z + b + noise, whose likelihood and posterior are known; the encoder is the exact posterior."""
    torch.manual_seed(0)
    vae = models.load(name)(Spec((D,)), latent=LATENT, **hyper)
    vae.decoder, vae.encoder = nn.Linear(LATENT, D), nn.Linear(D, 2 * LATENT)
    vae.double().eval().requires_grad_(False)
    rotation, _ = torch.linalg.qr(torch.randn(D, LATENT, dtype=torch.float64))
    weight = rotation * torch.tensor([2.0, 0.5])  # orthogonal columns: the posterior is diagonal
    vae.decoder.weight.data = weight
    vae.likelihood.set_scale(math.log(SCALE))
    variance = SCALE**2 / (weight.square().sum(0) + SCALE**2)
    vae.encoder.weight.data = torch.cat([variance[:, None] * weight.T / SCALE**2, torch.zeros(LATENT, D)])
    vae.encoder.bias.data = torch.cat([-vae.encoder.weight[:LATENT] @ vae.decoder.bias, variance.log()])
    return vae


@pytest.fixture
def linear() -> nn.Module:
    return linear_gaussian("vae")


def exact(vae: nn.Module, x: torch.Tensor) -> torch.Tensor:
    weight = vae.decoder.weight
    covariance = weight @ weight.T + SCALE**2 * torch.eye(D)
    return torch.distributions.MultivariateNormal(vae.decoder.bias, covariance).log_prob(x)


def test_the_exact_posterior_meets_the_likelihood(linear: nn.Module) -> None:
    x = torch.randn(20, D, dtype=torch.float64)
    for k in (1, 5):
        assert torch.allclose(
            linear.importance_bound(x, linear.posterior(x), k, Generator().manual_seed(0)), exact(linear, x)
        )
    assert torch.allclose(linear.log_prob(x), exact(linear, x))


def test_bounds_rise_with_k_towards_the_likelihood(linear: nn.Module) -> None:
    linear.encoder.bias.data += torch.tensor([0.5, -0.5, 0.6, -0.4])  # an encoder that is off
    x, repeats, rng = torch.randn(20, D, dtype=torch.float64), 4000, Generator().manual_seed(7)
    torch.manual_seed(0)
    many = x.repeat(repeats, 1)
    elbo = -sum(linear.terms(many, linear.posterior(many))).view(repeats, 20).mean(0)
    single, five, fifty = (
        linear.importance_bound(many, linear.posterior(many), k, rng).view(repeats, 20).mean(0) for k in (1, 5, 50)
    )
    assert torch.allclose(elbo.mean(), single.mean(), atol=0.04)  # the same bound, with its KL in closed form
    assert elbo.mean() < five.mean() < fifty.mean() < exact(linear, x).mean()
    assert (elbo < five).all() and (five < fifty).all() and (fifty < exact(linear, x)).all()


@pytest.mark.parametrize("k", [1, 5, 50])
def test_the_exact_posterior_makes_the_iwae_s_objective_the_likelihood(k: int) -> None:
    vae, x = linear_gaussian("iwae", k=k), torch.randn(20, D, dtype=torch.float64)
    for _ in range(2):  # whatever is drawn
        assert torch.allclose(-vae.bound_move(Batch(x))["model"], exact(vae, x).mean())


def test_the_iwae_s_objective_rises_with_k_from_the_vae_s_to_the_likelihood() -> None:
    x, objective = torch.randn(20, D, dtype=torch.float64), {}
    for name, hyper in (("vae", {}), ("iwae", {"k": 1}), ("iwae", {"k": 5}), ("iwae", {"k": 50})):
        vae = linear_gaussian(name, **hyper)
        vae.encoder.bias += torch.tensor([0.5, -0.5, 0.6, -0.4])  # an encoder that is off
        torch.manual_seed(1)
        objective[hyper.get("k", "vae")] = -vae.bound_move(Batch(x.repeat(2000, 1)))["model"].item()
    assert objective[1] == pytest.approx(objective["vae"], abs=0.04)  # whose KL is in closed form
    assert max(objective["vae"], objective[1]) < objective[5] < objective[50] < exact(vae, x).mean()


@pytest.mark.parametrize("importance", [1, 50])
def test_log_prob_keeps_the_order_of_its_data_over_chunks(
    linear: nn.Module, importance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.common.variational.DECODED_AT_ONCE", 60)
    linear.importance = importance
    x = torch.randn(101, D, dtype=torch.float64)
    assert torch.allclose(linear.log_prob(x), exact(linear, x)) and linear.estimator == f"IWAE-{importance}"


@pytest.mark.parametrize(("shape", "mean"), [((2,), False), ((1, 8, 8), True)])
def test_points_are_drawn_and_images_are_means_unless_told(shape: tuple[int, ...], mean: bool) -> None:
    spec = Spec(shape, levels=17 if len(shape) == 3 else 0)
    for hyper, expected in (({}, mean), ({"sample_mean": True}, True), ({"sample_mean": False}, False)):
        vae = models.load("vae")(spec, latent=2, **hyper).eval().requires_grad_(False)
        sample = vae.sample(50, None, Generator().manual_seed(0))
        out = vae.decoder(torch.randn(50, 2, generator=Generator().manual_seed(0)))
        assert torch.equal(sample, vae.likelihood.mean(out)) == expected


def test_a_fitted_prior_takes_the_priors_place_in_the_bound() -> None:
    """Of one Gaussian, whose exact posterior makes the bound the likelihood, and the rate has a closed form."""
    vae, mean, spread = (
        linear_gaussian("vae_mixture", components=1),
        torch.tensor([1.0, -2.0]),
        torch.tensor([0.5, 3.0]),
    )
    weight, x = vae.decoder.weight.double(), torch.randn(20, D, dtype=torch.float64)
    vae.density.mean[0], vae.density.factor[0] = mean, spread.diag()
    variance = 1 / (weight.square().sum(0) / SCALE**2 + 1 / spread.double().square())
    vae.encoder.weight[:LATENT] = variance[:, None] * weight.T / SCALE**2
    towards = mean / spread.square() - weight.T @ vae.decoder.bias / SCALE**2
    vae.encoder.bias[:] = torch.cat([variance * towards, variance.log()])
    prior = torch.distributions.Normal(mean.double(), spread.double())
    covariance = weight @ spread.double().square().diag() @ weight.T + SCALE**2 * torch.eye(D)
    law = torch.distributions.MultivariateNormal(weight @ prior.mean + vae.decoder.bias, covariance)
    assert torch.allclose(vae.log_prob(x), law.log_prob(x))

    code = vae.posterior(x[:1])
    kl = torch.distributions.kl_divergence(torch.distributions.Normal(code.mean, variance.sqrt()), prior).sum()
    many, _ = vae.rate_distortion(x[:1].expand(20_000, -1))
    assert many.mean().item() == pytest.approx(kl.item(), abs=5 * many.std().item() / math.sqrt(20_000))


def test_a_mixture_is_a_prior_whose_likelihood_is_a_mixture() -> None:
    vae, x = linear_gaussian("vae_mixture", components=2, importance=20_000), torch.randn(3, D, dtype=torch.float64)
    vae.density.share[:], vae.density.mean[:] = torch.tensor([0.3, 0.7]), torch.tensor([[1.0, 0.0], [-1.0, 0.5]])
    weight = vae.decoder.weight
    covariance = weight @ weight.T + SCALE**2 * torch.eye(D)
    means = vae.density.mean @ weight.T + vae.decoder.bias
    parts = [torch.distributions.MultivariateNormal(mean, covariance).log_prob(x) for mean in means]
    exact = (torch.stack(parts, 1) + vae.density.share.log()).logsumexp(1)
    assert torch.allclose(vae.log_prob(x), exact, atol=0.05)


def test_the_mixture_is_fitted_to_draws_from_the_posteriors_and_drawn_from() -> None:
    """x is 2 or -2, q(z | x) = N(x, 0.04): codes have mean 0 and variance 4.04."""
    torch.manual_seed(0)
    vae = models.load("vae_mixture")(Spec((1,)), latent=1, components=2, sample_mean=True).eval().requires_grad_(False)
    vae.posterior = lambda x: Code(x, torch.full_like(x, math.log(0.04)))
    vae.decoder = nn.Identity()
    vae.finish([Batch(torch.tensor([-2.0, 2.0]).repeat(2000)[:, None])])
    assert vae.density.mean.flatten().sort().values.tolist() == pytest.approx([-2, 2], abs=0.03)
    assert vae.density.factor.flatten().tolist() == pytest.approx([0.2, 0.2], abs=0.01)
    drawn = vae.sample(20_000, None, Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(0, abs=0.08) and drawn.var().item() == pytest.approx(4.04, abs=0.05)
    assert ((drawn.abs() - 2).abs() < 1).all()
