"""The bidirectional GAN: what it shows the critic, and who follows which gradient."""

import pytest
import torch
from made import Affine
from torch import Tensor, nn

import models
from models.common import losses
from models.common.protocol import Batch, Spec

pytestmark = pytest.mark.usefixtures("float64")


class Product(nn.Module):
    """The score of a pair is the inner product of its parts."""

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return (x * z).sum(1)


def by_hand() -> nn.Module:
    model = models.load("bigan")(Spec((2,)), latent=2)
    model.generator, model.encoder, model.critic = Affine(2.0, 1.0), Affine(0.5, 0.25), Product()
    return model


def scores(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Of (x, E(x)) and of (G(z), z), for the z that the next move draws."""
    torch.manual_seed(3)
    z = torch.randn_like(x)
    torch.manual_seed(3)
    return (x * model.encoder(x)).sum(1), (model.generator(z) * z).sum(1)


def test_losses_of_hand_made_players() -> None:
    model, x = by_hand(), torch.randn(6, 2)
    on_real, on_fake = scores(model, x)
    assert torch.isclose(model.critic_move(Batch(x))["critic"], losses.classification(on_real, on_fake))
    scores(model, x)
    found = model.joint_move(Batch(x))
    assert torch.isclose(found["generator"], losses.non_saturating(on_fake))
    assert torch.isclose(found["generator"] + found["encoder"], losses.classification(on_fake, on_real))  # swapped


def test_the_shared_objective_falls_into_a_part_for_each() -> None:
    """So that each player may follow its own and both follow the whole."""
    model, x = by_hand(), torch.randn(6, 2)
    on_real, on_fake = scores(model, x)
    both = [*model.generator.parameters(), *model.encoder.parameters()]
    whole = torch.autograd.grad(losses.classification(on_fake, on_real), both)
    scores(model, x)
    found = model.joint_move(Batch(x))
    parts = [
        *torch.autograd.grad(found["generator"], both[:2]),
        *torch.autograd.grad(found["encoder"], both[2:]),
    ]
    assert all(torch.isclose(*pair) for pair in zip(whole, parts, strict=True))


def test_reconstruction_goes_through_the_code() -> None:
    model, x = by_hand(), torch.randn(6, 2)
    assert torch.allclose(model.encode(x), 0.5 * x + 0.25)
    assert torch.allclose(model.reconstruct(x), 2 * (0.5 * x + 0.25) + 1)
