"""The energy-based GAN: its energy, its margin, and where its gradients flow."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import models
from models.common.protocol import Batch, Spec
from models.ebgan import likeness

pytestmark = pytest.mark.usefixtures("float64")


class Shift(nn.Module):
    """x -> x + shift"""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.shift


class Half(nn.Module):
    """The critic's encoder keeps a point as it is, its decoder gives half of it back: energies are half its norm."""

    def forward(self, code: Tensor) -> Tensor:
        return code / 2


def by_hand(**hyper: object) -> nn.Module:
    model = models.load("ebgan")(Spec((2,)), latent=2, **hyper)
    model.generator = Shift(1.0)
    model.critic["encoder"], model.critic["decoder"] = nn.Identity(), Half()
    return model


def fakes(model: nn.Module, x: Tensor) -> Tensor:
    torch.manual_seed(3)
    found = model.generator(torch.randn_like(x))
    torch.manual_seed(3)
    return found


def energy_of_half(x: Tensor) -> Tensor:
    return (x / 2).square().mean(1).sqrt()


@pytest.mark.parametrize("margin", [0.36, 0.9, 5.0])
@pytest.mark.parametrize("pull_away", [0.0, 0.1, 2.0])
def test_losses_of_hand_made_players(margin: float, pull_away: float) -> None:
    model, x = by_hand(margin=margin, pull_away=pull_away), torch.randn(6, 2)
    fake = fakes(model, x)
    critic = energy_of_half(x).mean() + F.relu(margin - energy_of_half(fake)).mean()
    assert torch.isclose(model.critic_move(Batch(x))["critic"], critic)
    fakes(model, x)
    generator = energy_of_half(fake).mean() + pull_away * likeness(fake)
    assert torch.isclose(model.generator_move(Batch(x))["generator"], generator)
    assert torch.isclose(model.reconstruction_move(Batch(x))["critic"], energy_of_half(x).mean())


def test_a_fake_beyond_the_margin_leaves_the_critic_alone() -> None:
    model, x = by_hand(margin=0.3), torch.randn(6, 2)
    model.generator.shift.data.fill_(100.0)
    assert torch.equal(model.critic_move(Batch(x))["critic"], model.reconstruction_move(Batch(x))["critic"])


def test_the_generators_gradient_flows_through_the_target() -> None:
    """|G/2 - G| pulls a fake to the origin; with the target held fast it would push it away."""
    model, x = by_hand(pull_away=0.0), torch.randn(6, 2)
    fake = fakes(model, x).detach()
    (slope,) = torch.autograd.grad(model.generator_move(Batch(x))["generator"], model.generator.shift)
    direction = fake.sum(1) / fake.norm(dim=1)  # of the norm by a shift of both coordinates
    through_both = 0.5 * direction.mean() / math.sqrt(2)
    assert torch.isclose(slope, through_both) and not torch.isclose(slope, -through_both)


@pytest.mark.parametrize("spec", [Spec((2,)), Spec((1, 8, 8)), Spec((3, 16, 16))], ids=lambda spec: str(spec.shape))
def test_energy_is_the_error_per_coordinate_for_data_of_any_size(spec: Spec) -> None:
    model, x = models.load("ebgan")(spec, code=4, width=16), torch.zeros(5, *spec.shape)
    model.critic["decoder"] = nn.Unflatten(1, spec.shape)
    model.critic["encoder"].forward = lambda x: x.flatten(1) + 0.36
    energy, code = model.energy(x)
    assert torch.allclose(energy, torch.full((5,), 0.36)) and code.shape == (5, x[0].numel())


def test_the_pull_away_term_is_the_mean_squared_cosine_of_pairs() -> None:
    code = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 2.0]])
    assert likeness(code).item() == pytest.approx((0 + 0.5 + 0.5) / 3)
    assert likeness(torch.eye(4)) == 0  # orthogonal
    assert likeness(torch.tensor([[1.0, 2.0], [-3.0, -6.0], [0.1, 0.2]])).item() == pytest.approx(1)  # on one line
    assert torch.isclose(
        likeness(torch.tensor([[5.0], [7.0]]) * code[:2]), likeness(code[:2])
    )  # whatever their lengths


def test_pretraining_is_decided_by_the_step() -> None:
    model = models.load("ebgan")(Spec((2,)), pretrain=2, width=8)
    turns = [[move.__name__ for move in model.moves(step)] for step in range(4)]
    assert turns == [["reconstruction_move"]] * 2 + [["critic_move", "generator_move"]] * 2
    assert models.load("ebgan")(Spec((2,)), width=8).moves(0) != model.moves(0)


def test_pretraining_teaches_the_critic_to_reconstruct() -> None:
    torch.manual_seed(0)
    model, x = models.load("ebgan")(Spec((2,)), width=32, pretrain=100, lr=1e-2), torch.randn(64, 2)
    optimizers, before = model.optimizers(), model.energy(x)[0].mean().item()
    for step in range(100):
        (move,) = model.moves(step)
        optimizers["critic"].zero_grad()
        move(Batch(x))["critic"].backward()
        optimizers["critic"].step()
    assert model.energy(x)[0].mean().item() < before / 2


@pytest.mark.parametrize("margin", [0.0, -1.0])
def test_a_margin_that_is_not_positive_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match=rf"^margin = {margin}: must be above 0, and finite$"):
        models.load("ebgan")(Spec((2,)), margin=margin)
