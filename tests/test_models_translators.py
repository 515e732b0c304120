"""What translators lessen, on nets made by hand; what critics are shown; what is drawn from a pool."""

import math

import pytest
import torch
import torch.nn.functional as F
from made import Affine
from torch import Generator, Tensor, nn

import models
from models import cond_gan_translate, unit
from models.common import losses
from models.common.pool import Pool
from models.common.protocol import Batch, Spec
from models.common.translators import beside, dropped, u_net

pytestmark = pytest.mark.usefixtures("float64")

POINTS = Spec((2,), partner=(2,))
GREY = Spec((1, 8, 8), levels=17, partner=(1, 8, 8))
COLOUR = Spec((3, 8, 8), levels=17, partner=(1, 8, 8))


class Sum(nn.Module):
    """The score of a datum is the sum of its numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).sum(1, keepdim=True)


def cyclegan(there: nn.Module, back: nn.Module, **settings: float) -> nn.Module:
    model = models.load("cyclegan")(POINTS, width=4, **{"identity": 0.0, "pool": 0} | settings)
    model.there, model.back, model.critic, model.critic_of_partners = there, back, Sum(), Sum()
    return model


def batch(n: int = 6) -> Batch:
    return Batch(torch.randn(n, 2), step=torch.tensor(0), partner=torch.randn(n, 2))


# ---- CycleGAN


def test_the_cycle_of_the_true_map_costs_nothing() -> None:
    data = batch()
    found = [
        cyclegan(Affine(2.0, 1.0), back, cycle=cycle).joint_move(data)["generators"]
        for back in (Affine(0.5, -0.5), Affine(0.5, 0.0))
        for cycle in (10.0, 0.0)
    ]
    assert torch.isclose(found[0], found[1]), "each undoes the other"
    # Shifted by 0.5, back(there(y)) is off by 0.5 and there(back(x)) by 1.
    assert (found[2] - found[3]).item() == pytest.approx(10 * 1.5)


def test_least_squares_of_hand_made_critics() -> None:
    data = Batch(
        torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor(0), partner=torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    )
    found = cyclegan(Affine(1.0, 1.0), Affine(1.0, -1.0)).joint_move(data)
    # There the sums are 5 and 4, back 1 and -3; of the data themselves 3 and -1, and of partners 3 and 2.
    assert found["generators"].item() == pytest.approx((4**2 + 3**2) / 2 + (0**2 + 4**2) / 2)
    of_x = ((2**2 + 2**2) / 2 + (5**2 + 4**2) / 2) / 2
    of_partners = ((2**2 + 1**2) / 2 + (1**2 + 3**2) / 2) / 2
    assert found["critics"].item() == pytest.approx(of_x + of_partners)


def test_the_identity_loss_weighs_a_share_of_the_cycle() -> None:
    data, maps = batch(), (Affine(1.0, 1.0), Affine(1.0, -3.0))
    without, with_it = (cyclegan(*maps, identity=share).joint_move(data)["generators"] for share in (0.0, 0.5))
    assert (with_it - without).item() == pytest.approx(10 * 0.5 * (1 + 3))


def test_identity_is_only_for_equal_channels() -> None:
    with pytest.raises(ValueError, match=r"identity = 0.5: must be 0 .* \(1, 8, 8\) and \(3, 8, 8\)"):
        models.load("cyclegan")(COLOUR, width=8)
    models.load("cyclegan")(COLOUR, width=8, identity=0.0)
    models.load("cyclegan")(GREY, width=8)


def test_blur_fades() -> None:
    model, x = cyclegan(Affine(1.0, 0.0), Affine(1.0, 0.0), blur=2.0, blurred=10), torch.zeros(20_000, 2)
    for step, wide in ((0, 2.0), (5, 1.0), (10, 0.0), (50, 0.0)):
        seen = model.seen(nn.Identity(), x, Batch(x, step=torch.tensor(step)))
        assert seen.std().item() == pytest.approx(wide, rel=0.02)


def test_generators_and_critics_move_as_one_after_the_other_would() -> None:
    """The critics are shown translations of before the move, so that none hangs on the other's."""
    model, data = cyclegan(Affine(2.0, 1.0), Affine(1.0, 0.5)), batch()
    model.critic = nn.Linear(2, 1)
    before = model.joint_move(data)["critics"]
    with torch.no_grad():
        fake = model.there(data.partner)
        of_x = 0.5 * ((model.critic(data.x) - 1).square().mean() + model.critic(fake).square().mean())
        back = 0.5 * ((Sum()(data.partner) - 1).square().mean() + Sum()(model.back(data.x)).square().mean())
    assert torch.isclose(before, of_x + back)
    assert all(weight is None for weight in torch.autograd.grad(before, model.there.parameters(), allow_unused=True))


# ---- the pool


def one_by_one(pool: list[Tensor], size: int, x: Tensor, swaps: Tensor, places: Tensor) -> Tensor:
    """What a loop over the data makes of it, as CycleGAN's code does."""
    out = []
    for datum, swap, place in zip(x, swaps, places, strict=True):
        if len(pool) < size:
            pool.append(datum)
        elif swap:
            pool[place], datum = datum, pool[place]
        out.append(datum)
    return torch.stack(out)


def test_the_pool_gives_what_a_loop_would() -> None:
    pool, known = Pool(5, (2,)), []
    for seed in range(12):
        x = torch.randn(7, 2, generator=Generator().manual_seed(seed))
        torch.manual_seed(seed)
        swaps, places = torch.rand(7) < 0.5, torch.randint(5, (7,))
        torch.manual_seed(seed)
        assert torch.equal(pool(x), one_by_one(known, 5, x, swaps, places)), seed
        assert torch.equal(pool.kept[: len(known)], torch.stack(known))


def test_the_pool_fills_first_and_then_gives_half_of_what_was() -> None:
    torch.manual_seed(0)
    pool, data = Pool(50, (1, 2, 2)), torch.arange(4000.0).view(1000, 1, 2, 2)
    assert all(torch.equal(pool(part), part) for part in data[:50].split(10))
    after = torch.cat([pool(part) for part in data[50:].split(10)])
    old = (after != data[50:]).flatten(1).any(1)
    assert old.double().mean().item() == pytest.approx(0.5, abs=4 * math.sqrt(0.25 / 950))
    assert {tuple(datum.flatten().tolist()) for datum in after} <= {tuple(x.flatten().tolist()) for x in data}
    assert pool.come.item() == 1000


def test_a_pool_hangs_on_its_seed_and_on_nothing_else() -> None:
    parts, found = torch.randn(20, 8, 2), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        pool = Pool(10, (2,))
        found.append(torch.stack([pool(part) for part in parts]))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_a_pool_holds_its_own_domain_and_no_graph() -> None:
    model = models.load("cyclegan")(COLOUR, width=8, identity=0.0, pool=4)
    data = Batch(torch.rand(6, 3, 8, 8), step=torch.tensor(0), partner=-torch.rand(6, 1, 8, 8))
    model.there, model.back = Constant(0.25, 3), Constant(-0.75, 1)
    for _ in range(3):
        model.joint_move(data)
    assert (model.pool.kept == 0.25).all() and (model.pool_of_partners.kept == -0.75).all()
    assert not model.pool.kept.requires_grad


class Constant(nn.Module):
    """Images of one colour."""

    def __init__(self, colour: float, channels: int) -> None:
        super().__init__()
        self.colour, self.channels = nn.Parameter(torch.tensor(colour)), channels

    def forward(self, x: Tensor) -> Tensor:
        return self.colour.expand(len(x), self.channels, *x.shape[2:])


# ---- learnt from pairs


@pytest.mark.parametrize("name", ["pix2pix", "cond_gan_translate"])
def test_the_critic_sees_pairs(name: str) -> None:
    torch.manual_seed(0)
    model = models.load(name)(COLOUR, width=8)
    partner, x = torch.rand(6, 1, 8, 8), torch.rand(6, 3, 8, 8)
    assert not torch.allclose(model.scores(partner, x), model.scores(partner.roll(1, 0), x))
    assert not torch.allclose(model.scores(partner, x), model.scores(partner, x.roll(1, 0)))


def test_losses_of_pix2pix_by_hand() -> None:
    model = models.load("pix2pix")(POINTS, width=4)
    model.generator, model.critic, data = Affine(2.0, 1.0), Sum(), batch()
    fake = 2 * data.partner + 1
    real, made = (Sum()(torch.cat([data.partner, side], 1)) for side in (data.x, fake))
    critic = 0.5 * (
        F.binary_cross_entropy_with_logits(real, torch.ones(6, 1))
        + F.binary_cross_entropy_with_logits(made, torch.zeros(6, 1))
    )
    assert torch.isclose(model.critic_move(data)["critic"], critic)
    generator = F.binary_cross_entropy_with_logits(made, torch.ones(6, 1)) + 100 * (fake - data.x).abs().mean()
    assert torch.isclose(model.generator_move(data)["generator"], generator)
    assert [move.__name__ for move in model.moves(0)] == ["critic_move", "generator_move"]


def sized(side: int) -> Spec:
    return Spec((3, side, side), classes=4, partner=(1, side, side))


@pytest.mark.parametrize("spec", [POINTS, COLOUR, *map(sized, (12, 14, 28, 32))], ids=str)
def test_dropout_is_the_noise_of_pix2pix_when_sampled_too(spec: Spec) -> None:
    torch.manual_seed(0)
    model = models.load("pix2pix")(spec, width=16).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)  # so that the correction of a point is none of nothing
    given = torch.rand(6, *spec.partner)
    one, again, other = (model.sample(6, given, Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.allclose(one, other)
    sure = u_net(spec.partner, spec.shape, width=16, depth=3).eval()
    assert torch.equal(sure(given), sure(given))


def test_dropout_keeps_the_mean() -> None:
    x = dropped(torch.ones(200_000), 0.25, Generator().manual_seed(0))
    assert set(x.unique().tolist()) == {0.0, 1 / 0.75} and x.mean().item() == pytest.approx(1.0, abs=0.01)


def test_mode_seeking_by_hand() -> None:
    one, two = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([[1.0, 1.0], [2.0, 6.0]])
    z_one, z_two = torch.zeros(2, 1), torch.tensor([[1.0], [3.0]])
    # They differ by 4 / 4, their noise by 4 / 2.
    assert cond_gan_translate.mode_seeking(one, two, z_one, z_two).item() == pytest.approx(1 / (0.5 + 1e-5))
    assert cond_gan_translate.mode_seeking(one, one, z_one, z_two).item() == pytest.approx(1e5)


def test_losses_of_the_conditional_gan_by_hand() -> None:
    model = models.load("cond_gan_translate")(POINTS, width=4, latent=2, seeking=3.0, l1=0.5)
    model.critic, data = Sum(), batch()
    model.generator = Shifted()
    torch.manual_seed(3)
    z = torch.randn(12, 2)
    fake = data.partner.repeat(2, 1) + z  # which moves as far as its noise does
    by_hand = losses.non_saturating(data.partner.repeat(2, 1).sum(1) + fake.sum(1))
    by_hand = by_hand + 0.5 * (fake[:6] - data.x).abs().mean() + 3 / (1 + 1e-5)
    torch.manual_seed(3)
    assert torch.isclose(model.generator_move(data)["generator"], by_hand)


class Shifted(nn.Module):
    """A point and, beside it, what is added to it."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :2] + x[:, 2:]


def test_noise_stands_beside_a_point_and_in_planes_on_an_image() -> None:
    z = torch.tensor([[5.0, 6.0]])
    assert beside(torch.tensor([[1.0]]), z).tolist() == [[1.0, 5.0, 6.0]]
    assert torch.equal(beside(torch.zeros(1, 1, 2, 3), z)[0, 2], torch.full((2, 3), 6.0))


# ---- the others


def test_nearest_gives_the_neighbours_partner() -> None:
    model = models.load("nearest")(COLOUR)
    partner, x = torch.rand(20, 1, 8, 8), torch.rand(20, 3, 8, 8)
    model.finish([Batch(x[:12], partner=partner[:12]), Batch(x[12:], partner=partner[12:])])
    order = torch.randperm(20)
    assert torch.equal(model.sample(20, partner[order] + 1e-3 * torch.rand(20, 1, 8, 8), Generator()), x[order])


def test_identity_gives_back_what_it_is_given() -> None:
    given = torch.rand(4, 1, 8, 8)
    same, coloured = (models.load("identity")(spec).sample(4, given, Generator()) for spec in (GREY, COLOUR))
    assert torch.equal(same, given) and torch.equal(coloured, given.repeat(1, 3, 1, 1))
    assert torch.allclose(models.load("identity")(COLOUR).translate_back(coloured, Generator()), given)
    with pytest.raises(ValueError, match=r"equal shape.*\(1, 8, 8\) and \(3, 8, 8\)"):
        models.load("identity")(Spec((1, 8, 8), levels=17, partner=(3, 8, 8)))


def test_the_way_back_to_grey_is_the_mean_over_channels() -> None:
    x = torch.rand(4, 3, 8, 8)
    assert torch.allclose(models.load("identity")(COLOUR).translate_back(x, Generator())[:, 0], x.mean(1))


def test_a_regression_lessens_the_absolute_error() -> None:
    model, data = models.load("regression")(POINTS, width=4), batch()
    model.translator = Affine(2.0, 1.0)
    assert torch.isclose(model.regression_move(data)["translator"], (2 * data.partner + 1 - data.x).abs().mean())


def test_the_divergence_of_a_code_is_that_of_gaussians() -> None:
    mean = torch.randn(5, 3)
    codes, prior = (torch.distributions.Normal(at, torch.ones(5, 3)) for at in (mean, torch.zeros(5, 3)))
    assert torch.isclose(unit.divergence(mean), torch.distributions.kl_divergence(codes, prior).mean())


def test_losses_of_unit_by_hand() -> None:
    model, data = models.load("unit")(POINTS, width=4, latent=2, kl=0.3, reconstruction=3.0, cycle=7.0), batch()
    model.code, model.critics = lambda domain, x: 2 * x, nn.ModuleDict({"x": Sum(), "partner": Sum()})
    model.decode = lambda domain, mean: mean + (1.0 if domain == "x" else -1.0)
    by_hand = 0.0
    for x, own, other in ((data.partner, -1.0, 1.0), (data.x, 1.0, -1.0)):
        there = 2 * x + other
        kl = 0.5 * ((2 * x).square().mean() + (2 * there).square().mean())
        error = 3 * (2 * x + own - x).abs().mean() + 7 * (2 * there + own - x).abs().mean()
        by_hand += F.softplus(-there.sum(1)).mean() + 0.3 * kl + error
    assert torch.isclose(model.vaes_move(data)["vaes"], by_hand)
    found = losses.classification(data.x.sum(1), (2 * data.partner + 1).sum(1))
    found = found + losses.classification(data.partner.sum(1), (2 * data.x - 1).sum(1))
    assert torch.isclose(model.critics_move(data)["critics"], found)


def test_both_domains_of_unit_share_the_layers_at_the_code() -> None:
    model = models.load("unit")(COLOUR, width=8)
    x, partner = torch.rand(4, 3, 8, 8), torch.rand(4, 1, 8, 8)
    before = [model.code("x", x), model.code("partner", partner)]
    with torch.no_grad():
        model.last[1].bias += 1
    for old, new in zip(before, [model.code("x", x), model.code("partner", partner)], strict=True):
        assert torch.allclose(new, old + 1)
