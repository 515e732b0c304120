"""GANs: whose turn it is, and what holds the critic."""

import pytest
import torch
from torch import nn

import models
from models.common import losses
from models.common.protocol import Batch, Spec


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


@pytest.mark.parametrize("name", ["wgan", "wgan_gp"])
def test_the_generator_moves_in_every_fifth_step(name: str) -> None:
    model = models.load(name)(Spec((2,)), width=8)
    turns = [[move.__name__ for move in model.moves(step)] for step in range(10)]
    assert turns == ([["critic_move"]] * 4 + [["critic_move", "generator_move"]]) * 2


def test_wgan_clips_the_critic_only() -> None:
    model = models.load("wgan")(Spec((2,)), clip=0.03, width=8)
    assert max(weight.abs().max() for weight in model.critic.parameters()) <= 0.03
    for weight in model.parameters():
        nn.init.normal_(weight)
    generator = [weight.clone() for weight in model.generator.parameters()]
    model.constrain()
    assert max(weight.abs().max().item() for weight in model.critic.parameters()) == pytest.approx(0.03)
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


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_gan_losses_of_hand_made_players(loss: str) -> None:
    model, batch = by_hand("gan", loss=loss), Batch(torch.randn(6, 2))
    torch.manual_seed(3)
    fake = 0.5 * (torch.randn(6, 2) + 1).sum(1)
    torch.manual_seed(3)
    assert torch.isclose(model.critic_move(batch)["critic"], losses.classification(0.5 * batch.x.sum(1), fake))
    torch.manual_seed(3)
    assert torch.isclose(model.generator_move(batch)["generator"], getattr(losses, loss)(fake))


def test_cgan_shows_both_players_the_label() -> None:
    model = models.load("cgan")(Spec((2,), classes=3), latent=2, width=8)
    z, one, two = torch.randn(4, 2), torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    assert not torch.allclose(model.generate(z, one), model.generate(z, two))
    assert not torch.allclose(model.score(z, one), model.score(z, two))


def test_cgan_needs_labelled_data() -> None:
    with pytest.raises(ValueError, match=r"needs labelled data, the data of shape \(2,\) have no classes"):
        models.load("cgan")(Spec((2,)))
