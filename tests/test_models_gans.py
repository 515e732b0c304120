"""GANs: whose turn it is, and what holds the critic."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models
from models.common import losses
from models.common.protocol import Batch, Spec

pytestmark = pytest.mark.usefixtures("float64")


class Shift(nn.Module):
    """x -> x + shift, as a generator of points made to be computed by hand."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.shift


class Mean(nn.Module):
    """The score of a point is the sum of its coordinates times a slope."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1) * self.slope


def by_hand(name: str, **hyper: object) -> nn.Module:
    model = models.load(name)(Spec((2,)), latent=2, **hyper)
    model.generator, model.critic = Shift(1.0), Mean(0.5)
    return model


@pytest.mark.parametrize("name", ["wgan", "wgan_gp", "sngan"])
def test_the_generator_moves_in_every_fifth_step(name: str) -> None:
    model = models.load(name)(Spec((2,)), width=8)
    turns = [[move.__name__ for move in model.moves(step)] for step in range(10)]
    assert turns == ([["critic_move"]] * 4 + [["critic_move", "generator_move"]]) * 2


def test_wgan_clips_the_critic_only() -> None:
    model = models.load("wgan")(Spec((2,)), clip=0.03, width=8)
    assert max(weight.abs().max() for weight in model.critic.parameters()) <= 0.03
    for weight in model.parameters():
        nn.init.normal_(weight)
    generator, critic = ([weight.clone() for weight in net.parameters()] for net in (model.generator, model.critic))
    model.constrain()
    assert max(weight.abs().max().item() for weight in model.critic.parameters()) == pytest.approx(0.03)
    clipped = [weight.clamp(-0.03, 0.03) for weight in critic]
    assert all(torch.equal(*pair) for pair in zip(clipped, model.critic.parameters(), strict=True))
    assert all(torch.equal(*pair) for pair in zip(generator, model.generator.parameters(), strict=True))


@pytest.mark.parametrize("penalty", [0.1, 10.0])
def test_wasserstein_losses_of_hand_made_players(penalty: float) -> None:
    batch, distance = Batch(torch.randn(6, 2)), []
    for name, extra in (("wgan", {}), ("wgan_gp", {"penalty": penalty})):
        model = by_hand(name, **extra)
        torch.manual_seed(3)
        fake = torch.randn(6, 2) + 1
        torch.manual_seed(3)
        distance.append(model.critic_move(batch)["critic"].item())
        torch.manual_seed(3)
        assert model.generator_move(batch)["generator"].item() == pytest.approx(-0.5 * fake.sum(1).mean().item())
        assert distance[0] == pytest.approx(0.5 * (fake.sum(1).mean() - batch.x.sum(1).mean()).item(), rel=1e-5)
    assert distance[1] - distance[0] == pytest.approx(penalty * (0.5 * 2**0.5 - 1) ** 2, rel=1e-4)


class Bowl(nn.Module):
    """Half the squared length of a point times a factor, which is then how far its slope grows with the length."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x.square().sum(1) / 2


def test_slopes_are_held_at_points_uniform_on_the_way_from_data_to_samples() -> None:
    """From the origin to a point at distance 5: with a factor a, E (5 a s - 1)^2 = 25 a^2 / 3 - 5 a + 1, s uniform."""
    model, batch, a = by_hand("wgan_gp", penalty=2.0), Batch(torch.zeros(20_000, 2)), 0.4
    model.generator, model.critic = Score(lambda z: torch.tensor([3.0, 4.0]).expand_as(z)), Bowl(a)
    loss = model.critic_move(batch)["critic"]
    assert loss.item() == pytest.approx(12.5 * a + 2 * (25 * a**2 / 3 - 5 * a + 1), abs=0.02)
    (slope,) = torch.autograd.grad(loss, model.critic.factor)
    assert slope.item() == pytest.approx(12.5 + 2 * (50 * a / 3 - 5), abs=0.2)


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_gan_losses_of_hand_made_players(loss: str) -> None:
    model, batch = by_hand("gan", loss=loss), Batch(torch.randn(6, 2))
    torch.manual_seed(3)
    fake = 0.5 * (torch.randn(6, 2) + 1).sum(1)
    torch.manual_seed(3)
    assert torch.isclose(model.critic_move(batch)["critic"], losses.classification(0.5 * batch.x.sum(1), fake))
    torch.manual_seed(3)
    assert torch.isclose(model.generator_move(batch)["generator"], getattr(losses, loss)(fake))


class Score(nn.Module):
    """A critic that is a function."""

    def __init__(self, score: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.forward = score


def scores(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """What the hand-made critic says of the data, and of the samples of the hand-made generator's next draw."""
    torch.manual_seed(3)
    fake = torch.randn(6, 2) + 1
    torch.manual_seed(3)
    return 0.5 * batch.x.sum(1), 0.5 * fake.sum(1)


def test_smoothing_lowers_the_target_of_data_only() -> None:
    batch, model = Batch(torch.randn(6, 2)), by_hand("gan", smoothing=0.1)
    real, fake = scores(batch)
    to_real = F.binary_cross_entropy_with_logits(real, torch.full((6,), 0.9))
    to_fake = F.binary_cross_entropy_with_logits(fake, torch.zeros(6))
    torch.testing.assert_close(model.critic_move(batch)["critic"], to_real + to_fake)
    scores(batch)
    torch.testing.assert_close(model.generator_move(batch)["generator"], losses.non_saturating(fake))


def test_least_squares_of_hand_made_players() -> None:
    batch, model = Batch(torch.randn(6, 2)), by_hand("lsgan")
    real, fake = scores(batch)
    torch.testing.assert_close(model.critic_move(batch)["critic"], ((real - 1) ** 2 + fake**2).mean() / 2)
    scores(batch)
    torch.testing.assert_close(model.generator_move(batch)["generator"], ((fake - 1) ** 2).mean() / 2)


@pytest.mark.parametrize("slope", [1.0, 3.0])
def test_hinge_of_hand_made_players(slope: float) -> None:
    batch, model = Batch(torch.randn(6, 2)), by_hand("sngan", slope=slope)
    real, fake = (slope * score for score in scores(batch))
    hinge = (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()
    assert (real > 1).any() or (fake < -1).any() or slope == 1, "no score is beyond its margin"
    torch.testing.assert_close(model.critic_move(batch)["critic"], hinge)
    scores(batch)
    torch.testing.assert_close(model.generator_move(batch)["generator"], -fake.mean())


@pytest.mark.parametrize(("shape", "layers"), [((2,), 4), ((1, 16, 16), 3)])
def test_every_layer_of_the_sngan_critic_has_spectral_norm_one(shape: tuple[int, ...], layers: int) -> None:
    torch.manual_seed(0)
    model = models.load("sngan")(Spec(shape), width=16).double()
    linear = [layer for layer in model.critic.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    for layer in linear:
        nn.init.normal_(layer.parametrizations.weight.original)  # as after a large step
    x = torch.randn(4, *shape, dtype=torch.float64)
    for _ in range(300):
        model.critic(x)
    model.eval()
    norms = [torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() for layer in linear]
    assert norms == pytest.approx([1.0] * layers, abs=1e-4)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    model.critic(x)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items()), "iterates in eval mode"


def test_the_sngan_critic_is_no_steeper_than_its_slope() -> None:
    torch.manual_seed(0)
    model = models.load("sngan")(Spec((2,)), width=16, slope=7.0)
    x = torch.randn(2000, 2)
    for _ in range(100):
        model.critic(x)
    with torch.no_grad():
        rise = (model.eval().score(x[:1000]) - model.score(x[1000:])).abs()
    assert (rise <= 7.001 * torch.linalg.vector_norm(x[:1000] - x[1000:], dim=1)).all()


def test_the_gan_estimates_jensen_shannon_with_the_best_critic() -> None:
    """Of N(0, 1) and N(1, 1), whose log ratio is 1/2 - x; by the midpoint rule on their quantiles and on a grid."""
    model = models.load("gan")(Spec((1,)), width=8)
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1)
    x = normal.icdf((torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000).unsqueeze(1)
    grid = torch.linspace(-10, 11, 100_001, dtype=torch.float64)
    p, q = normal.log_prob(grid).exp(), normal.log_prob(grid - 1).exp()
    jensen_shannon = 0.5 * torch.trapezoid(p * (2 * p / (p + q)).log() + q * (2 * q / (p + q)).log(), grid)
    model.critic = Score(lambda x: 0.5 - x[:, 0])
    assert model.estimate(x, x + 1).item() == pytest.approx(jensen_shannon.item(), abs=1e-4)
    model.critic = Score(lambda x: 1 - 2 * x[:, 0])
    assert model.estimate(x, x + 1) < jensen_shannon - 0.01
    model.critic = Score(lambda x: 0 * x[:, 0])
    assert model.estimate(x, x[:10] + 1).item() == pytest.approx(0, abs=1e-12)
    model.critic = Score(lambda x: torch.where(x[:, 0] < 50, 60.0, -60.0))
    assert model.estimate(x, x + 100).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize(("name", "divergence"), [("wgan", "scaled W1"), ("wgan_gp", "W1")])
def test_wasserstein_estimates_are_distances_where_the_critic_has_slope_one(name: str, divergence: str) -> None:
    model = models.load(name)(Spec((2,)), width=8)
    x, shift = torch.randn(50, 2), torch.tensor([3.0, -4.0])
    model.critic = Score(lambda x: -(x @ shift) / 5)
    assert model.divergence == divergence
    assert model.estimate(x, x + shift).item() == pytest.approx(5.0, rel=1e-5)
    assert model.estimate(x, x).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("spec", [Spec((2,)), Spec((1, 8, 8))], ids=["points", "images"])
def test_one_seed_gives_all_the_family_one_generator(spec: Spec) -> None:
    found = {}
    for name in models.names():
        torch.manual_seed(3)
        try:
            model = models.load(name)(spec, latent=3, width=16)
        except (TypeError, ValueError):  # no nets, or not for such data
            continue
        if hasattr(model, "generator"):
            found[name] = model.generator.state_dict()
    assert {"gan", "wgan", "wgan_gp", "r3gan", "lsgan", "unrolled_gan", "pacgan"} <= set(found)
    for name, weights in found.items():
        assert all(torch.equal(*pair) for pair in zip(weights.values(), found["gan"].values(), strict=True)), name
