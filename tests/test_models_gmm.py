"""The mixture of Gaussians against mixtures that are known."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common.protocol import Batch, Spec

CENTRES = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0]], dtype=torch.float64)
SIGMA = 0.1


def truth(x: Tensor) -> Tensor:
    """Nats of three Gaussians of equal weight."""
    distance = torch.cdist(x, CENTRES) / SIGMA
    return (-distance.square() / 2).logsumexp(1) - math.log(3) - 2 * math.log(SIGMA) - math.log(2 * math.pi)


def drawn(n: int, seed: int) -> Tensor:
    rng = Generator().manual_seed(seed)
    mode = torch.randint(3, (n,), generator=rng)
    return CENTRES[mode] + SIGMA * torch.randn(n, 2, generator=rng, dtype=torch.float64)


def fitted(seed: int = 0, n: int = 3000, **hyper: object) -> nn.Module:
    model = models.load("gmm")(Spec((2,)), **hyper).double()
    torch.manual_seed(seed)
    model.finish(Batch(part) for part in drawn(n, seed=1).split(256))
    return model


@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
def test_it_finds_the_mixture(covariance: str) -> None:
    model = fitted(components=3, covariance=covariance, starts=3)
    order = torch.cdist(CENTRES, model.mean).argmin(1)
    assert sorted(order.tolist()) == [0, 1, 2]
    assert torch.allclose(model.mean[order], CENTRES, atol=0.02)
    assert torch.allclose(model.share, torch.full((3,), 1 / 3).double(), atol=0.03)
    spread = model.factor @ model.factor.mT
    assert torch.allclose(spread, SIGMA**2 * torch.eye(2).double().expand(3, 2, 2), atol=1e-3)
    x = drawn(5000, seed=2)
    assert (truth(x) - model.log_prob(x)).mean().item() == pytest.approx(0, abs=0.01)


def test_more_components_than_modes_cost_little() -> None:
    x = drawn(5000, seed=2)
    assert 0 < (truth(x) - fitted(components=16).log_prob(x)).mean().item() < 0.05


@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
def test_the_density_integrates_to_one(covariance: str) -> None:
    model = fitted(n=300, components=4, covariance=covariance)
    side = torch.linspace(-3, 3, 1201, dtype=torch.float64)
    total = model.log_prob(torch.cartesian_prod(side, side)).exp().sum() * (side[1] - side[0]).square()
    assert total.item() == pytest.approx(1, abs=1e-4)


def test_samples_follow_the_density() -> None:
    """Mean and covariance of the mixture, and its entropy, in closed form since its components are far apart."""
    model = fitted(components=3)
    x = model.sample(40_000, None, Generator().manual_seed(0))
    mean = model.share @ model.mean
    spread = torch.einsum("k,kij->ij", model.share, model.factor @ model.factor.mT)
    spread = spread + torch.einsum("k,ki,kj->ij", model.share, model.mean - mean, model.mean - mean)
    assert torch.allclose(x.mean(0), mean, atol=0.03) and torch.allclose(x.T.cov(), spread, atol=0.05)
    entropy = (model.share * (math.log(2 * math.pi) + 1 + model.factor.logdet() - model.share.log())).sum().item()
    assert -model.log_prob(x).mean().item() == pytest.approx(entropy, abs=0.03)


@pytest.mark.usefixtures("float64")
def test_a_covariance_with_correlation_is_sampled_as_it_is_scored() -> None:
    model = models.load("gmm")(Spec((2,)), components=1)
    model.factor.copy_(torch.tensor([[[2.0, 0.0], [1.5, 0.5]]]))
    x = model.sample(40_000, None, Generator().manual_seed(0))
    assert torch.allclose(x.T.cov(), torch.tensor([[4.0, 3.0], [3.0, 2.5]]), atol=0.1)
    exact = torch.distributions.MultivariateNormal(torch.zeros(2), torch.tensor([[4.0, 3.0], [3.0, 2.5]]))
    assert torch.allclose(model.log_prob(x[:9]), exact.log_prob(x[:9]))


def test_chance_in_fitting_is_torchs() -> None:
    same, other = (fitted(seed=seed, components=8).mean for seed in (0, 1))
    assert torch.equal(same, fitted(seed=0, components=8).mean) and not torch.equal(same, other)


def test_it_takes_no_steps() -> None:
    model = models.load("gmm")(Spec((2,)))
    assert model.optimizers() == {} and list(model.moves(0)) == []
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^gmm is for points, the data are images of shape \(1, 8, 8\)$"):
        models.load("gmm")(Spec((1, 8, 8)))
