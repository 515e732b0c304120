"""Independent pixels, kernel densities and autoencoders with a density of codes, against what is known of them."""

import itertools
import math

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models import parzen
from models.common.pixels import from_levels
from models.common.protocol import Batch, Spec

BINARY = Spec((1, 3, 3), levels=2)
LEVELS = Spec((2, 2, 1), levels=3)


def some_levels(spec: Spec, n: int, seed: int = 0) -> Tensor:
    """(n, *shape) levels, the first pixels of each image darker than the last."""
    rng = Generator().manual_seed(seed)
    share = torch.linspace(0.1, 0.9, math.prod(spec.shape), dtype=torch.float64).view(spec.shape)
    return torch.binomial(torch.full((n, *spec.shape), spec.levels - 1.0).double(), share.expand(n, -1, -1, -1), rng)


def every(spec: Spec) -> Tensor:
    """All images that there are."""
    each = itertools.product(range(spec.levels), repeat=math.prod(spec.shape))
    return as_input(torch.tensor(list(each)).view(-1, *spec.shape), spec)


def as_input(level: Tensor, spec: Spec) -> Tensor:
    return from_levels(level, spec.levels, like=torch.zeros((), dtype=torch.float64))


def fitted(name: str, spec: Spec, x: Tensor, **hyper: object) -> nn.Module:
    torch.manual_seed(0)
    model = models.load(name)(spec, **hyper).to(x.dtype).eval().requires_grad_(False)
    model.finish(Batch(part) for part in x.split(7))
    return model


@pytest.mark.parametrize("name", ["independent", "parzen"])
@pytest.mark.parametrize("spec", [BINARY, LEVELS], ids=["binary", "levels"])
def test_probabilities_of_all_images_sum_to_one(name: str, spec: Spec) -> None:
    model = fitted(name, spec, as_input(some_levels(spec, 60), spec))
    assert model.log_prob(every(spec)).exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", ["independent", "parzen"])
def test_images_are_drawn_as_often_as_they_are_likely(name: str) -> None:
    model = fitted(name, LEVELS, as_input(some_levels(LEVELS, 60), LEVELS))
    drawn = model.sample(40_000, None, Generator().manual_seed(0))
    images = every(LEVELS)
    often = (drawn.flatten(1)[:, None] == images.flatten(1)).all(2).sum(0)
    assert often.sum() == 40_000 and torch.allclose(often.double() / 40_000, model.log_prob(images).exp(), atol=0.006)


def test_a_pixels_histogram_has_half_an_image_more_at_each_level() -> None:
    level = torch.tensor([[0, 2], [0, 1], [2, 1]]).view(3, 2, 1, 1)
    spec = Spec((2, 1, 1), levels=3)
    model = fitted("independent", spec, as_input(level, spec))
    expected = torch.tensor([[2.5, 0.5, 1.5], [0.5, 2.5, 1.5]], dtype=torch.float64) / 4.5
    assert torch.allclose(model.share, expected)
    nats = model.pixel_nats(as_input(level[:1], spec))
    assert torch.allclose(nats.exp().flatten(), torch.tensor([2.5, 1.5]).double() / 4.5)
    assert torch.allclose(nats.sum(), model.log_prob(as_input(level[:1], spec)))


def test_independent_pixels_fill_holes_with_their_mean() -> None:
    x = as_input(some_levels(LEVELS, 4000), LEVELS)
    model = fitted("independent", LEVELS, x)
    mask = torch.tensor([[[[True], [False]]]]).expand(3, -1, -1, -1)
    filled = model.inpaint(x[:3], mask, Generator())
    assert torch.equal(filled[:, :, 0], x[:3, :, 0])
    assert torch.allclose(filled[:, :, 1], x.mean(0)[:, 1], atol=1e-3)


def test_independent_pixels_name_what_is_off_the_levels() -> None:
    model = models.load("independent")(BINARY)
    with pytest.raises(ValueError, match=r"0\.25, none of the 2 levels"):
        model.log_prob(torch.full((1, 1, 3, 3), 0.25))
    with pytest.raises(ValueError, match=r"independent needs images with grey levels, the data are points"):
        models.load("independent")(Spec((2,)))


def test_the_kernel_density_of_points_is_the_mean_of_its_kernels() -> None:
    x = torch.randn(200, 3, generator=Generator().manual_seed(0), dtype=torch.float64)
    model = fitted("parzen", Spec((3,)), x)
    at, scale = torch.randn(9, 3, dtype=torch.float64), model.kernel.log_scale.exp()
    kernels = torch.distributions.MultivariateNormal(model.data[:, None], scale.square() * torch.eye(3).double())
    assert torch.allclose(model.log_prob(at), kernels.log_prob(at).logsumexp(0) - math.log(200))
    # Silverman's rule for 180 normal data in three dimensions: (4 / (180 (3 + 2)))^(1/7) = 0.46
    assert 0.2 < scale < 0.8


def test_a_narrow_law_gets_a_narrow_kernel() -> None:
    """Eight tight clusters: the bandwidth follows their width, not their distance."""
    rng = Generator().manual_seed(0)
    centres = torch.randint(8, (4000,), generator=rng)
    x = torch.stack([centres.double(), centres.double().square() / 7], 1)
    x += 0.01 * torch.randn(4000, 2, generator=rng, dtype=torch.float64)
    assert 0.001 < fitted("parzen", Spec((2,)), x).kernel.log_scale.exp() < 0.01


@pytest.mark.parametrize("spec", [LEVELS, Spec((2,))], ids=["images", "points"])
def test_the_density_is_the_same_in_parts(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    x = as_input(some_levels(spec, 40), spec) if spec.levels else torch.randn(40, 2, dtype=torch.float64)
    model = fitted("parzen", spec, x)
    whole = model.log_prob(x)
    monkeypatch.setattr(parzen, "PAIRS", 3 * 40)
    monkeypatch.setattr(parzen, "NUMBERS", 7 * 12)
    assert torch.allclose(model.log_prob(x), whole)


def test_it_remembers_its_data_and_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    x = as_input(some_levels(BINARY, 60), BINARY)
    monkeypatch.setattr(parzen, "STORED", 25)
    model = fitted("parzen", BINARY, x)
    assert len(model.data) == 25 and (model.data.flatten(1)[:, None] == x.flatten(1)).all(2).any(1).all()
    copy = models.load("parzen")(BINARY).double()
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy.log_prob(x), model.log_prob(x))


def test_holes_are_filled_from_the_nearest_image() -> None:
    spec = Spec((1, 4, 4), levels=5)
    level = torch.randint(5, (30, 1, 4, 4), generator=Generator().manual_seed(0))
    x = as_input(level, spec)
    model = fitted("parzen", spec, x)
    mask = torch.zeros(30, 1, 4, 4, dtype=torch.bool)
    mask[:, :, :2] = True
    filled = model.inpaint(torch.where(mask, x, torch.nan), mask, Generator())
    assert torch.equal(filled, x), "a training image is nearest to itself"


def finished_ae(latent: int = 2, **hyper: object) -> nn.Module:
    """An autoencoder whose code of a point is the point."""
    torch.manual_seed(0)
    ae = models.load("ae")(Spec((2,)), latent=latent, **hyper).eval().requires_grad_(False)
    ae.encoder, ae.decoder = nn.Identity(), nn.Identity()
    return ae


@pytest.mark.usefixtures("float64")
def test_one_gaussian_has_the_codes_mean_and_covariance() -> None:
    ae = finished_ae()
    x = torch.randn(5000, 2) @ torch.tensor([[2.0, 0.7], [0.0, 0.3]]) + torch.tensor([5.0, -1.0])
    ae.finish(Batch(part) for part in x.split(256))
    assert torch.allclose(ae.density.mean[0], x.mean(0), atol=1e-5)
    assert torch.allclose(ae.density.factor[0] @ ae.density.factor[0].T, x.T.cov(correction=0), atol=1e-4)
    drawn = ae.sample(200_000, None, Generator().manual_seed(0))
    assert torch.allclose(drawn.mean(0), x.mean(0), atol=0.02) and torch.allclose(drawn.T.cov(), x.T.cov(), atol=0.05)


def test_a_mixture_finds_the_codes_clusters() -> None:
    """Three clusters: a mixture of three samples within them, one Gaussian between them."""
    centres = torch.tensor([[4.0, 0.0], [-4.0, 0.0], [0.0, 4.0]])
    x = centres.repeat(400, 1) + 0.2 * torch.randn(1200, 2, generator=Generator().manual_seed(0))
    far = {}
    for density in ("mixture", "gaussian"):
        ae = finished_ae(density=density, components=3)
        ae.finish(Batch(part) for part in x.split(100))
        drawn = ae.sample(2000, None, Generator().manual_seed(0))
        far[density] = (torch.cdist(drawn, centres).amin(1) > 1).double().mean().item()
    assert far["mixture"] < 0.001 and far["gaussian"] > 0.5


@pytest.mark.parametrize("density", ["gaussian", "mixture"])
@pytest.mark.parametrize("latent", [1, 3])
def test_latents_that_the_encoder_never_uses_are_borne(latent: int, density: str) -> None:
    ae = models.load("ae")(Spec((2,)), latent=latent, density=density).eval().requires_grad_(False)
    ae.encoder[-1].weight.data[-1] = 0
    ae.finish([Batch(torch.randn(50, 2)) for _ in range(3)])
    assert ae.sample(5, None, Generator()).isfinite().all()
