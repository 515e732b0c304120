"""Translators that move pixels, and a CycleGAN of a mixture of them."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common.protocol import Batch, Spec
from models.common.warps import Warps, turns

pytestmark = pytest.mark.usefixtures("float64")
SHAPE = (1, 8, 8)
DIGITS = Spec(SHAPE, levels=17, partner=SHAPE)
TURN = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)  # by 90 degrees, against the clock
NARROW = math.log(0.01)
cyclegan_warp = models.load("cyclegan_warp")


def images(n: int = 6, seed: int = 0) -> Tensor:
    level = torch.randint(17, (n, *SHAPE), generator=Generator().manual_seed(seed))
    return level / 8 - 1


def narrow(warps: Warps) -> Warps:
    """Each pixel is taken from one place."""
    with torch.no_grad():
        warps.widths.fill_(NARROW)
    return warps


def known(maps: Tensor, **settings: float) -> nn.Module:
    torch.manual_seed(0)
    model = cyclegan_warp(DIGITS, count=len(maps), blur=0.0, **settings)
    model.there, model.back = narrow(Warps(SHAPE, SHAPE, maps)), narrow(Warps(SHAPE, SHAPE, maps.transpose(1, 2)))
    return model


def batch(x: Tensor, partner: Tensor) -> Batch:
    return Batch(x, step=torch.tensor(0), partner=partner)


def test_a_narrow_warp_is_its_map() -> None:
    maps = torch.stack([TURN, torch.eye(2), torch.diag(torch.tensor([1.0, -1.0]))])
    x = images()
    found = narrow(Warps(SHAPE, SHAPE, maps))(x[:, None])
    for place, wanted in enumerate((x.rot90(dims=(2, 3)), x, x.flip(3))):
        torch.testing.assert_close(found[:, place], wanted)


def test_what_a_pixel_takes_sums_to_one_and_is_a_gaussian_of_places() -> None:
    warps = Warps(SHAPE, SHAPE, turns(3))
    taken = warps.taken()
    assert taken.shape == (3, 64, 64)
    torch.testing.assert_close(taken.sum(2), torch.ones(3, 64))
    one, other, to = torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 3 / 7]), torch.tensor([3 / 7, -5 / 7])
    ratio = taken[1, 8 * 5 + 1, 0] / taken[1, 8 * 5 + 1, 8 * 7 + 5]
    apart = (warps.maps[1] @ to - one).square().sum() - (warps.maps[1] @ to - other).square().sum()
    torch.testing.assert_close(ratio.log(), -0.5 * apart / 0.5**2)


def test_each_takes_its_own_and_a_change_is_its_own() -> None:
    warps = Warps(SHAPE, SHAPE, turns(4))
    nn.init.normal_(warps.change.weight)
    x = images(8).view(2, 4, *SHAPE)
    together = warps(x)
    for place in range(4):
        torch.testing.assert_close(warps(x[:, place : place + 1])[:, place], together[:, place])


def test_turns_are_orthogonal_and_some_are_mirrored() -> None:
    maps = turns(200)
    torch.testing.assert_close(maps @ maps.transpose(1, 2), torch.eye(2).expand(200, 2, 2))
    mirrored = (torch.linalg.det(maps) < 0).double().mean().item()
    assert 0.3 < mirrored < 0.7


@pytest.mark.parametrize("cycle", [1.0, 2.5])
def test_the_true_map_has_no_cycle_error_and_a_share_of_the_loss(cycle: float) -> None:
    """Critics that answer 1 leave the cycle alone: 0 of the true map, and for a mixture the mean by weight."""
    x = images()
    maps = torch.stack([TURN, torch.zeros(2, 2)])  # the other sends all to the middle
    model = known(maps, cycle=cycle)
    for critic in (model.critic, model.critic_of_partners):
        nn.init.zeros_(critic[1][-1].weight)
        nn.init.ones_(critic[1][-1].bias)
    with torch.no_grad():
        model.share.copy_(torch.tensor([math.log(3.0), 0.0]))
    loss = model.joint_move(batch(x.rot90(dims=(2, 3)), x))["generators"]
    turned = x.rot90(dims=(2, 3))
    middle = [each[:, :, 3:5, 3:5].mean((2, 3), keepdim=True) for each in (x, turned)]  # what four places share
    expected = sum((here - each).abs().mean() for here, each in zip(middle, (x, turned), strict=True)) / 4
    torch.testing.assert_close(loss, cycle * expected)


def test_critics_see_translations_by_weight_and_teach_no_translator() -> None:
    model = known(torch.stack([TURN, torch.eye(2)]))
    with torch.no_grad():
        model.share.copy_(torch.tensor([math.log(3.0), 0.0]))
    fake = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1, 1).expand(20_000, 2, *SHAPE)
    second = model.one_of(fake)[:, 0, 0, 0].mean().item()
    assert second == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 20_000))
    model.joint_move(batch(images(seed=1), images()))["critics"].backward()
    assert all(parameter.grad is None for net in (model.there, model.back) for parameter in net.parameters())
    assert model.share.grad is None and model.critic[1][0].weight.grad is not None


def test_the_weightiest_translates() -> None:
    model, x = known(torch.stack([torch.eye(2), TURN])), images()
    with torch.no_grad():
        model.share.copy_(torch.tensor([0.0, 0.1]))
    there = model.sample(6, x, Generator())
    torch.testing.assert_close(there, x.rot90(dims=(2, 3)))
    torch.testing.assert_close(model.translate_back(there, Generator()), x)


def test_points_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"cyclegan_warp needs images with grey levels, the data are points of shape"):
        cyclegan_warp(Spec((2,), partner=(2,)))
