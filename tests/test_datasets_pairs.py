"""Data of two domains: the maps between them by hand or in closed form, and who is shown which partner."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from benchmarks import datasets
from benchmarks.datasets import Splits, gaussian_pair, rotated_ring
from benchmarks.datasets.common.translation import alike, edges, hues, turned
from benchmarks.datasets.moons import two_moons
from benchmarks.metrics.frechet import frechet_distance
from benchmarks.metrics.transport_map import score, unexplained
from pipeline.data import Data, load, save
from pipeline.training.stream import batches_once, drawn_from, stream
from pipeline.work.sound import damage

IMAGES = ("digits_turned", "digits_inverted", "digits_edges", "digits_colour")


def loaded(name: str, **settings: object) -> Splits:
    return datasets.load(name, Path(), settings)


def rows(x: Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in x}


def test_a_ring_is_turned_and_shifted_and_its_modes_keep_their_weights() -> None:
    splits = loaded("rotated_ring", degrees=90.0, sigma=0.01)
    x, partner = splits.train.x, splits.train.partner
    there = torch.stack([-partner[:, 1], partner[:, 0]], 1) + torch.tensor([1.0, -0.5])  # a quarter turn by hand
    assert (x - there).abs().max() < 1e-6
    assert partner.norm(dim=1).sub(2).abs().max() < 0.06
    angle = torch.atan2(partner[:, 1], partner[:, 0]) / (2 * math.pi / 8)
    assert torch.equal(angle.round().long() % 8, splits.train.label), "mode k of the partners lies at k / 8 of a turn"
    shares = splits.train.label.bincount() / len(x)
    expected = torch.tensor(rotated_ring.WEIGHTS) / 36
    assert len(set(rotated_ring.WEIGHTS)) == 8 and ((shares - expected).abs() < 4 * (expected / len(x)).sqrt()).all()


def test_the_density_of_unequal_modes_is_a_weighted_sum() -> None:
    truth = loaded("rotated_ring").truth
    x = truth.centres[:3].double() + 0.05
    normals = [torch.distributions.MultivariateNormal(c.double(), 0.01 * torch.eye(2).double()) for c in truth.centres]
    expected = sum(w / 36 * n.log_prob(x).exp() for w, n in zip(rotated_ring.WEIGHTS, normals, strict=True)).log()
    assert torch.allclose(truth.log_density(x), expected, atol=1e-6)


def test_the_gaussians_have_the_moments_and_the_distance_of_the_closed_form() -> None:
    splits = loaded("gaussian_pair", train=200_000)
    x, partner = splits.train.x.double(), splits.train.partner.double()
    a, b = (np.array(each) for each in (gaussian_pair.A, gaussian_pair.B))
    assert np.allclose(a, a.T) and (np.linalg.eigvalsh(a) > 0).all(), "the gradient of a convex function"
    assert torch.allclose(partner @ torch.tensor(a) + torch.tensor(b), x, atol=1e-5)
    wide = np.linalg.inv(a) @ np.linalg.inv(a)
    assert np.allclose(partner.mean(0), 0, atol=0.03) and np.allclose(partner.T.cov(), wide, atol=0.1)
    assert np.allclose(x.mean(0), b, atol=0.02) and np.allclose(x.T.cov(), np.eye(2), atol=0.02)
    bures = np.trace(np.eye(2) + wide - 2 * np.real(sqrtm(wide))) + b @ b  # W2^2 of N(0, wide) and N(b, 1)
    cost = (x - partner).square().sum(1).mean().item()
    assert cost == pytest.approx(bures, rel=0.02), "the map is the cheapest"
    assert frechet_distance(real=x, fake=partner) == pytest.approx(bures, rel=0.02)


def test_l2_uvp_is_nothing_for_the_true_map_and_for_others_what_the_formula_says() -> None:
    splits = loaded("gaussian_pair", test=10_000)
    target, source = splits.test.x, splits.test.partner
    assert unexplained(fake=target, target=target) == 0
    assert unexplained(fake=target.mean(0).expand_as(target), target=target) == pytest.approx(1, rel=1e-6)
    a, b = torch.tensor(gaussian_pair.A), torch.tensor(gaussian_pair.B)
    identity = b @ b + torch.trace((torch.eye(2) - a.inverse()) @ (torch.eye(2) - a.inverse()))  # E|x - A^-1 (x - b)|^2
    found = score(real=target, fake=source, target=target)
    assert found["l2_uvp"] == pytest.approx(identity.item() / 2, rel=0.03)
    assert found["map_w2"] == pytest.approx(identity.sqrt().item(), rel=0.03), "W2 of two Gaussians"


def test_moons_are_halves_of_circles() -> None:
    angle = torch.linspace(0, math.pi, 5)
    upper, lower = two_moons(torch.zeros(5), angle), two_moons(torch.ones(5), angle)
    assert torch.allclose(upper.norm(dim=1), torch.ones(5)) and (upper[:, 1] > -1e-6).all()
    assert torch.allclose((lower - torch.tensor([1.0, 0.5])).norm(dim=1), torch.ones(5)) and lower[:, 1].max() < 0.51
    splits = loaded("moons")
    assert not splits.paired and splits.train.label is None
    assert splits.train.partner.norm(dim=1).median().item() == pytest.approx(5, abs=0.1)
    assert splits.train.x.mean(0).tolist() == pytest.approx([0.5, -0.25], abs=0.1), "3 (1/2, 1/4) - 1"


def test_the_gaussians_beside_the_moons_have_the_variance_of_the_literature() -> None:
    """The root of 0.1 in each direction, along the radius and across it."""
    partner = loaded("moons").train.partner
    turn = 2 * math.pi / 8 * (torch.atan2(partner[:, 1], partner[:, 0]) / (2 * math.pi / 8)).round()
    outwards, across = (torch.stack(axis, 1) for axis in ((turn.cos(), turn.sin()), (-turn.sin(), turn.cos())))
    for axis, middle in ((outwards, 5), (across, 0)):
        along = (partner * axis).sum(1)
        assert along.mean().item() == pytest.approx(middle, abs=0.02)
        assert along.var().item() == pytest.approx(0.1**0.5, rel=0.05)


def test_images_are_mapped_pixel_by_pixel() -> None:
    digits = datasets.load("digits", Path(), {"train": 1200, "validation": 97, "test": 500})
    turn, other, edge, colour = (loaded(name) for name in IMAGES)
    for splits in (turn, other, edge, colour):
        assert splits.paired and torch.equal(splits.test.label, digits.test.label)
        assert torch.equal(splits.test.partner, digits.test.x.expand_as(splits.test.partner))
    assert np.array_equal(turn.test.x.numpy(), np.rot90(digits.test.x.numpy(), axes=(2, 3)))
    assert torch.equal(other.test.x + digits.test.x, torch.full_like(digits.test.x, 16))
    assert torch.equal(colour.test.x.amax(1, keepdim=True), digits.test.x), "the largest channel is the grey"
    assert not colour.test.x.amin(1).any() and edge.test.x.unique().tolist() == [0, 16]


def test_an_outline_lies_beside_ink() -> None:
    ink = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    ink[0, 0, 2, 1:3], ink[0, 0, 0, 0] = 8, 7
    found = edges(ink, 17)[0, 0].tolist()
    assert found == [[0, 0, 0, 0, 0], [0, 16, 16, 0, 0], [16, 0, 0, 16, 0], [0, 16, 16, 0, 0], [0, 0, 0, 0, 0]]


def test_hues_are_even_on_the_circle() -> None:
    found = hues(60_000, torch.Generator().manual_seed(0))
    assert torch.equal(found.amax(1), torch.ones(60_000)) and torch.equal(found.amin(1), torch.zeros(60_000))
    assert found.mean(0).tolist() == pytest.approx([0.5] * 3, abs=0.01)
    assert found.argmax(1).bincount().tolist() == pytest.approx([20_000] * 3, abs=500)


def test_colours_of_one_datum_are_independent() -> None:
    test = loaded("digits_colour").test
    shade = [each.float().flatten(2).sum(2) for each in (test.x, test.again)]
    share = [each / each.sum(1, keepdim=True) for each in shade]
    assert abs(np.corrcoef(share[0][:, 0], share[1][:, 0])[0, 1]) < 4 / 500**0.5


@pytest.mark.parametrize("name", ["rotated_ring", *IMAGES])
def test_who_is_shown_no_pairs_sees_no_true_partner(name: str) -> None:
    data = Data(*loaded(name))
    alone, taught = (drawn_from(data, pairs) for pairs in (False, True))
    assert torch.equal(alone.x, taught.x), "all learn from the same data"
    half = len(data.train.x) // 2
    assert len(alone.x) == half and len(alone.partner) == len(data.train.x) - half
    assert torch.equal(taught.partner, data.train.partner[:half])
    true = rows(data.train.partner[:half])
    assert not true & rows(alone.partner)
    seen = [batch.partner for batch, _ in zip(stream(data, 30, 0), range(60), strict=False)]
    assert not true & rows(data.to_levels(torch.cat(seen)))


def test_pairs_stay_together_in_every_order() -> None:
    data = Data(*loaded("digits_turned"))
    batches = [batch for batch, _ in zip(stream(data, 50, 3, pairs=True), range(15), strict=False)]
    for batch in [*batches, *batches_once(data, 64, pairs=True)]:
        assert torch.equal(turned(batch.partner), batch.x)


def test_held_out_data_of_unlike_domains_are_matched_by_class() -> None:
    one = datasets.Split(torch.arange(6)[:, None], torch.tensor([0, 1, 1, 2, 2, 2]))
    two = datasets.Split(10 + torch.arange(6)[:, None], torch.tensor([2, 1, 0, 0, 2, 0]))
    found = alike(one, two)
    assert found.x[:, 0].tolist() == [0, 1, 3, 4] and found.label.tolist() == [0, 1, 2, 2]
    assert found.partner[:, 0].tolist() == [12, 11, 10, 14]


def test_two_domains_are_kept_and_read_whole(tmp_path: Path) -> None:
    splits = loaded("digits_colour")
    file = tmp_path / "artifacts/digits_colour/data/data.pt"
    file.parent.mkdir(parents=True)
    save(splits, file)
    found = load(file, "cpu")
    assert found.paired and torch.equal(found.test.again, splits.test.again)
    assert found.spec.partner == (3, 8, 8) and found.spec.shape == (3, 8, 8) and damage(file) == ""
    short = splits._replace(test=splits.test._replace(partner=splits.test.partner[:-1]))
    save(short, file)
    assert "partners are not as many as data" in damage(file)
    ring = loaded("rotated_ring")
    save(ring, file)
    assert torch.equal(load(file, "cpu").truth.weights, ring.truth.weights)
