"""R3GAN: its pairing loss, and its two penalties in closed form."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import models
from models.common.protocol import Batch, Spec

GAMMA = 0.6
pytestmark = pytest.mark.usefixtures("float64")


class Bowl(nn.Module):
    """x -> constant + sum of a_j x_j^2 / 2, whose gradient is a_j x_j."""

    def __init__(self, dims: int, constant: float = 0.0) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.linspace(0.5, 2, dims))
        self.constant = constant

    def forward(self, x: Tensor) -> Tensor:
        return self.constant + 0.5 * x.flatten(1).square() @ self.a


class Reshaped(nn.Module):
    """The noise itself as a sample, times a weight."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.scale = nn.Parameter(torch.tensor(0.8))

    def forward(self, z: Tensor) -> Tensor:
        return self.scale * z.unflatten(1, self.shape)


def by_hand(shape: tuple[int, ...], constant: float = 0.0) -> nn.Module:
    dims = math.prod(shape)
    model = models.load("r3gan")(Spec(shape), latent=dims, gamma=GAMMA, width=8)
    model.generator, model.critic = Reshaped(shape), Bowl(dims, constant)
    return model


def data_and_samples(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Data, and the samples of the hand-made generator's next draw: (B, dims) each"""
    real = torch.randn(6, math.prod(shape), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(3)
    fake = 0.8 * torch.randn(6, math.prod(shape))
    torch.manual_seed(3)
    return real, fake


def slope_squared(a: Tensor, x: Tensor) -> Tensor:
    return (a * x).square().sum(1).mean()


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_penalties_of_a_quadratic_critic(shape: tuple[int, ...]) -> None:
    model = by_hand(shape)
    real, fake = data_and_samples(shape)
    loss = model.critic_move(Batch(real.unflatten(1, shape)))["critic"]
    a = model.critic.a.detach()
    pairing = F.softplus(0.5 * (fake**2 - real**2) @ a).mean()
    torch.testing.assert_close(loss, pairing + GAMMA / 2 * (slope_squared(a, real) + slope_squared(a, fake)))


def test_the_critic_feels_its_penalties() -> None:
    """d/da_j of gamma/2 E[sum a_j^2 x_j^2] is gamma a_j E[x_j^2], on data and on samples alike."""
    model = by_hand((2,))
    real, fake = data_and_samples((2,))
    (slope,) = torch.autograd.grad(model.critic_move(Batch(real))["critic"], model.critic.a)
    difference = 0.5 * (fake**2 - real**2)  # d(fake - real)/da
    a = model.critic.a.detach()
    pairing = (torch.sigmoid(difference @ a).unsqueeze(1) * difference).mean(0)
    torch.testing.assert_close(slope, pairing + GAMMA * a * (real**2 + fake**2).mean(0))


def test_the_generator_passes_its_own_datum() -> None:
    model = by_hand((2,))
    real, fake = data_and_samples((2,))
    pairs = 0.5 * (real**2 - fake**2) @ model.critic.a.detach()
    torch.testing.assert_close(model.generator_move(Batch(real))["generator"], F.softplus(pairs).mean())


def test_only_differences_of_scores_count() -> None:
    model, lifted = by_hand((2,)), by_hand((2,), constant=5.0)
    for move in ("critic_move", "generator_move"):
        values = []
        for each in (model, lifted):
            real, _ = data_and_samples((2,))
            values += getattr(each, move)(Batch(real)).values()
        torch.testing.assert_close(*values)


def test_both_players_move_and_are_penalised_in_every_step() -> None:
    model = by_hand((2,))
    assert all(model.moves(step) == [model.critic_move, model.generator_move] for step in range(20))


@pytest.mark.parametrize("gamma", [0.0, -1.0, math.inf])
def test_gamma_is_positive(gamma: float) -> None:
    with pytest.raises(ValueError, match=f"^gamma = {gamma}: must be above 0, and finite$"):
        models.load("r3gan")(Spec((2,)), gamma=gamma)
