"""The models made against mode collapse: packing, unrolling, reconstruction of noise."""

import copy
import math

import pytest
import torch
from made import Affine
from torch import Tensor, nn
from torch.distributions import Normal
from torch.optim import Adam

import models
from models.common import losses
from models.common.joint import JointCritic
from models.common.protocol import Batch, Spec
from pipeline.training.engine import Players

POINTS, IMAGES = Spec((2,)), Spec((1, 8, 8))


def some_batches(spec: Spec, count: int, n: int = 12) -> list[Batch]:
    rng = torch.Generator().manual_seed(5)
    return [Batch(torch.randn(n, *spec.shape, generator=rng).tanh()) for _ in range(count)]


def trained(name: str, spec: Spec, **hyper: object) -> nn.Module:
    """After six steps from the weights that one seed gives."""
    torch.manual_seed(0)
    model = models.load(name)(spec, latent=3, width=16, **hyper)
    torch.manual_seed(1)
    players = Players(model)
    for step, batch in enumerate(some_batches(spec, 6)):
        for move in model.moves(step):
            players.move(move(batch))
    return model


def near(left: nn.Module, right: nn.Module) -> bool:
    """As near as rounding leaves weights that two ways led to. Gradients of 1 and less are rounded to 1e-15, of which
    Adam, which divides by 1e-8 or more, makes 1e-7 of a step; six steps of 2e-4 then differ by 1e-10."""
    pairs = zip(left.parameters(), right.parameters(), strict=True)
    return all(torch.allclose(*pair, rtol=0, atol=1e-9) for pair in pairs)


# PacGAN


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("spec", [POINTS, IMAGES], ids=["points", "images"])
def test_packing_of_one_is_gan(spec: Spec) -> None:
    assert near(trained("pacgan", spec, packing=1), trained("gan", spec))
    assert not near(trained("pacgan", spec, packing=1), trained("gan", spec, loss="minimax"))


def test_a_pack_lies_side_by_side() -> None:
    points = models.load("pacgan")(POINTS, packing=3, width=8).pack(torch.arange(12.0).view(6, 2))
    assert points.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    x = torch.randn(6, 3, 8, 8)
    images = models.load("pacgan")(Spec((3, 8, 8)), packing=2, width=8).pack(x)
    assert images.shape == (3, 6, 8, 8)
    assert torch.equal(images[1, :3], x[2]) and torch.equal(images[1, 3:], x[3])


@pytest.mark.parametrize("spec", [POINTS, IMAGES], ids=["points", "images"])
def test_only_the_critics_first_layer_widens(spec: Spec) -> None:
    plain, packed = (list(models.load("pacgan")(spec, packing=m, width=16).parameters()) for m in (1, 4))
    widened = [new.numel() / old.numel() for old, new in zip(plain, packed, strict=True) if new.shape != old.shape]
    assert widened == [4]


@pytest.mark.usefixtures("float64")
def test_packed_losses_of_hand_made_players() -> None:
    model, x = models.load("pacgan")(POINTS, latent=2, packing=2), torch.randn(6, 2)
    model.generator, model.critic = nn.Identity(), nn.Flatten(0)
    model.critic.forward = lambda pack: pack[:, 0] * pack[:, 3]  # the first of one datum and the second of the next
    torch.manual_seed(3)
    fake = torch.randn(6, 2)
    on_real, on_fake = x[::2, 0] * x[1::2, 1], fake[::2, 0] * fake[1::2, 1]
    torch.manual_seed(3)
    assert torch.isclose(model.critic_move(Batch(x))["critic"], losses.classification(on_real, on_fake))
    torch.manual_seed(3)
    assert torch.isclose(model.generator_move(Batch(x))["generator"], losses.non_saturating(on_fake))


def test_a_packing_that_does_not_divide_the_batch_is_named() -> None:
    model = models.load("pacgan")(POINTS, packing=5, width=8)
    for move in model.moves(0):
        with pytest.raises(ValueError, match=r"^packing = 5 does not divide a batch of 12: .*$"):
            move(some_batches(POINTS, 1)[0])


# Unrolled GAN


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
@pytest.mark.parametrize("spec", [POINTS, IMAGES], ids=["points", "images"])
def test_no_unrolling_is_gan(spec: Spec, loss: str) -> None:
    assert near(trained("unrolled_gan", spec, unrolling=0, loss=loss), trained("gan", spec, loss=loss))
    assert not near(trained("unrolled_gan", spec, unrolling=1, loss=loss), trained("gan", spec, loss=loss))


def test_unrolling_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^unrolling = -1: must be 0 or more$"):
        models.load("unrolled_gan")(POINTS, unrolling=-1)


@pytest.mark.parametrize("beta1", [0.5, 0.9])
@pytest.mark.parametrize("spec", [POINTS, IMAGES], ids=["points", "images"])
def test_unrolled_steps_are_those_that_adam_would_take(spec: Spec, beta1: float) -> None:
    """On from its state in training, at the learning rate that it has now."""
    model = trained("unrolled_gan", spec, unrolling=3, beta1=beta1).double()
    real, fake = torch.randn(2, 12, *spec.shape).double()
    model.critic_adam.load_state_dict(model.critic_adam.state_dict())  # moments follow the weights to float64
    model.critic_adam.param_groups[0]["lr"] = 0.02
    before, moments = copy.deepcopy((model.critic.state_dict(), model.critic_adam.state_dict()))
    ahead = model.unrolled(real, fake)

    after = (model.critic.state_dict(), model.critic_adam.state_dict())
    assert str(after) == str((before, moments)), "unrolling only looks ahead"
    twin = copy.deepcopy(model.critic)
    adam = Adam(twin.parameters(), betas=model.betas)
    adam.load_state_dict(moments)
    for _ in range(3):
        adam.zero_grad()
        losses.classification(twin(real), twin(fake)).backward()
        adam.step()
    for key, weight in twin.named_parameters():
        assert torch.allclose(ahead[key], weight, rtol=1e-6, atol=1e-9), key


@pytest.mark.parametrize("unrolling", [0, 1, 3])
@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_the_unrolled_gradient_is_that_of_finite_differences(unrolling: int, loss: str) -> None:
    model = trained("unrolled_gan", POINTS, unrolling=unrolling, loss=loss).double()
    model.critic_adam.load_state_dict(model.critic_adam.state_dict())
    model.critic_adam.param_groups[0]["lr"] = 0.05  # so that the critic's answer matters
    (x,), weight = some_batches(POINTS, 1), model.generator[0].weight
    batch = Batch(x.x.double())

    def surrogate() -> Tensor:
        torch.manual_seed(3)
        return model.generator_move(batch)["generator"]

    (slope,) = torch.autograd.grad(surrogate(), weight)
    for place in [(0, 0), (5, 1), (9, 2)]:
        ends = []
        for shift in (1e-6, -2e-6):
            with torch.no_grad():
                weight[place] += shift
            ends.append(surrogate().item())
        with torch.no_grad():
            weight[place] += 1e-6
        assert slope[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-8)


def test_units_that_never_fire_leave_the_unrolled_gradient_finite() -> None:
    model = models.load("unrolled_gan")(POINTS, latent=2, width=8, depth=1)
    players, (batch,) = Players(model), some_batches(POINTS, 1)
    with torch.no_grad():
        model.critic[0][0].bias[:4] = -100.0
    for _ in range(2):
        for move in model.moves(0):
            players.move(move(batch))
    assert all(weight.isfinite().all() for weight in model.parameters())


# VEEGAN


class Product(nn.Module):
    """The score of a pair is the product of their first coordinates times a slope."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.slope * x[:, 0] * z[:, 0]


@pytest.mark.usefixtures("float64")
def test_veegan_losses_and_gradients_of_hand_made_players() -> None:
    model, x = models.load("veegan")(POINTS, latent=2), torch.randn(6, 2)
    model.generator, model.reconstructor, model.critic = Affine(2.0, 1.0), Affine(0.5, 0.25), Product(0.7)
    model.log_variance.data.fill_(math.log(0.4))
    torch.manual_seed(3)
    z, eta = torch.randn(6, 2), torch.randn(6, 2)
    torch.manual_seed(3)
    found = model.joint_move(Batch(x))
    fake, code = 2 * z + 1, 0.5 * x + 0.25 + math.sqrt(0.4) * eta
    on_real, on_fake = 0.7 * x[:, 0] * code[:, 0], 0.7 * fake[:, 0] * z[:, 0]
    distance = -Normal(0.5 * fake + 0.25, math.sqrt(0.4)).log_prob(z).sum(1).mean()
    assert torch.isclose(found["critic"], losses.classification(on_real, on_fake))
    assert torch.isclose(found["reconstructor"], distance)
    assert torch.isclose(found["generator"], distance - on_fake.mean())  # the paper's critic is minus this one

    # z - F(G(z)) = -0.75 for every coordinate: both are to shift down by it, and G up for the critic.
    own = (model.reconstructor.shift, model.log_variance)
    of_f, of_s = torch.autograd.grad(found["reconstructor"], own, retain_graph=True)
    (of_g,) = torch.autograd.grad(found["generator"], model.generator.shift, retain_graph=True)
    assert of_f.item() == pytest.approx(2 * 0.75 / 0.4)
    assert of_s.item() == pytest.approx(2 * 0.5 * (1 - 0.75**2 / 0.4)), "none where the variance is the residuals'"
    assert of_g.item() == pytest.approx(2 * 0.75 * 0.5 / 0.4 - 0.7 * z[:, 0].mean().item(), rel=1e-5)
    of_d = torch.autograd.grad(found["critic"], own, allow_unused=True)
    assert of_d == (None, None), "data reach the reconstructor's gradient in no way"

    model.joint = True  # now the reconstructor lessens what the critic says of data, too
    torch.manual_seed(3)
    found = model.joint_move(Batch(x))
    assert torch.isclose(found["reconstructor"], distance + on_real.mean())
    of_f, of_s = torch.autograd.grad(found["reconstructor"], own)
    assert of_f.item() == pytest.approx(2 * 0.75 / 0.4 + 0.7 * x[:, 0].mean().item(), rel=1e-5)
    through_draws = 0.7 * (x[:, 0] * eta[:, 0]).mean().item() * math.sqrt(0.4) / 2
    assert of_s.item() == pytest.approx(2 * 0.5 * (1 - 0.75**2 / 0.4) + through_draws, rel=1e-5)


def test_what_veegan_shows_of_data_is_as_long_as_noise() -> None:
    """A reconstructor that knows nothing finds the mean of all noise, 0, which has no length; its draws are noise."""
    model = models.load("veegan")(POINTS, latent=50, width=16)
    model.reconstructor, shown = nn.Linear(2, 50), []
    for weight in model.reconstructor.parameters():
        nn.init.zeros_(weight)
    model.critic.register_forward_pre_hook(lambda _, pair: shown.append(pair[1]))
    model.joint_move(Batch(torch.randn(2000, 2)))
    of_data, of_noise = shown[0].detach().norm(dim=1).chunk(2)
    assert of_data.mean().item() == pytest.approx(of_noise.mean().item(), abs=0.1)
    assert of_data.std().item() == pytest.approx(of_noise.std().item(), abs=0.1)


@pytest.mark.parametrize("spec", [POINTS, IMAGES], ids=["points", "images"])
def test_the_joint_critic_sees_both_of_a_pair(spec: Spec) -> None:
    critic, (x, other), (z, code) = (
        JointCritic(spec, 3, width=16, depth=2),
        torch.randn(2, 5, *spec.shape),
        torch.randn(2, 5, 3),
    )
    assert critic(x, z).shape == (5,)
    assert not torch.allclose(critic(x, z), critic(other, z)) and not torch.allclose(critic(x, z), critic(x, code))
