"""AE and VAE: the fitted code density, and bounds that are bounds."""

import math

import pytest
import torch
from torch import Generator, nn

import models
from models.common.protocol import Batch, Spec

D, LATENT, SCALE = 3, 2, 0.7


@pytest.fixture
def linear() -> nn.Module:
    """x = W z + b + noise, whose likelihood and posterior are known; the encoder is the exact posterior."""
    torch.manual_seed(0)
    vae = models.load("vae")(Spec((D,)), latent=LATENT)
    vae.decoder, vae.encoder = nn.Linear(LATENT, D), nn.Linear(D, 2 * LATENT)
    vae.double().eval().requires_grad_(False)
    rotation, _ = torch.linalg.qr(torch.randn(D, LATENT, dtype=torch.float64))
    weight = rotation * torch.tensor([2.0, 0.5])  # orthogonal columns: the posterior is diagonal
    vae.decoder.weight.data = weight
    vae.likelihood.log_scale.data.fill_(math.log(SCALE))
    variance = SCALE**2 / (weight.square().sum(0) + SCALE**2)
    vae.encoder.weight.data = torch.cat([variance[:, None] * weight.T / SCALE**2, torch.zeros(LATENT, D)])
    vae.encoder.bias.data = torch.cat([-vae.encoder.weight[:LATENT] @ vae.decoder.bias, variance.log()])
    return vae


def exact(vae: nn.Module, x: torch.Tensor) -> torch.Tensor:
    weight = vae.decoder.weight
    covariance = weight @ weight.T + SCALE**2 * torch.eye(D)
    return torch.distributions.MultivariateNormal(vae.decoder.bias, covariance).log_prob(x)


def test_the_exact_posterior_meets_the_likelihood(linear: nn.Module) -> None:
    x = torch.randn(20, D, dtype=torch.float64)
    for k in (1, 5):
        assert torch.allclose(linear.importance_bound(x, k, Generator().manual_seed(0)), exact(linear, x))
    assert torch.allclose(linear.log_prob(x), exact(linear, x))


def test_bounds_rise_with_k_towards_the_likelihood(linear: nn.Module) -> None:
    linear.encoder.bias.data += torch.tensor([0.5, -0.5, 0.6, -0.4])  # an encoder that is off
    x, repeats, rng = torch.randn(20, D, dtype=torch.float64), 4000, Generator().manual_seed(7)
    torch.manual_seed(0)
    many = x.repeat(repeats, 1)
    elbo = linear.elbo(many).view(repeats, 20).mean(0)
    single, five, fifty = (linear.importance_bound(many, k, rng).view(repeats, 20).mean(0) for k in (1, 5, 50))
    assert torch.allclose(elbo.mean(), single.mean(), atol=0.04)  # the same bound, with its KL in closed form
    assert elbo.mean() < five.mean() < fifty.mean() < exact(linear, x).mean()
    assert (elbo < five).all() and (five < fifty).all() and (fifty < exact(linear, x)).all()


@pytest.mark.parametrize("importance", [1, 50])
def test_log_prob_keeps_the_order_of_its_data_over_chunks(
    linear: nn.Module, importance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.vae.DECODED_AT_ONCE", 60)
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


def test_finish_fits_the_codes() -> None:
    torch.manual_seed(0)
    ae = models.load("ae")(Spec((2,)), latent=2).eval().requires_grad_(False)
    ae.encoder, ae.decoder = nn.Identity(), nn.Identity()
    x = torch.randn(5000, 2) @ torch.tensor([[2.0, 0.7], [0.0, 0.3]]) + torch.tensor([5.0, -1.0])
    ae.finish(Batch(part) for part in x.split(256))
    assert torch.allclose(ae.code_mean, x.mean(0), atol=1e-5)
    assert torch.allclose(ae.code_factor @ ae.code_factor.T, x.T.cov(), atol=1e-4)
    drawn = ae.sample(200_000, None, Generator().manual_seed(0))
    assert torch.allclose(drawn.mean(0), x.mean(0), atol=0.02) and torch.allclose(drawn.T.cov(), x.T.cov(), atol=0.05)


@pytest.mark.parametrize("latent", [1, 3])
def test_finish_bears_latents_that_the_encoder_never_uses(latent: int) -> None:
    ae = models.load("ae")(Spec((2,)), latent=latent).eval().requires_grad_(False)
    ae.encoder[-1].weight.data[-1] = 0
    ae.finish([Batch(torch.randn(50, 2)) for _ in range(3)])
    assert ae.sample(5, None, Generator()).isfinite().all()
