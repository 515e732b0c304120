"""Known answers of the data sets that need no files: the toys' densities and geometry, the digits' split."""

import math
from pathlib import Path

import pytest
import torch

from benchmarks import datasets
from benchmarks.datasets import Splits, Truth

TOYS = ("ring", "grid")


def toy(name: str) -> Splits:
    return datasets.load(name, Path(), {"points": 20_000, "held_out": 20_000})


@pytest.mark.parametrize("name", TOYS)
def test_density_integrates_to_one(name: str) -> None:
    truth = toy(name).truth
    step, reach = 0.75 * truth.sigma, truth.centres.abs().max().item() + 8 * truth.sigma
    line = torch.arange(-reach, reach, step, dtype=torch.float64)
    # Summed in parts; a step below sigma makes a sum over Gaussians exact to twelve digits.
    total = sum(truth.log_density(part).exp().sum().item() for part in torch.cartesian_prod(line, line).split(100_000))
    assert total * step**2 == pytest.approx(1, abs=1e-9)


def test_density_is_that_of_the_mixture() -> None:
    truth = Truth(torch.tensor([[0.0, 0.0, 1.0], [3.0, -1.0, 0.0]]), 0.5)
    x = torch.randn(20, 3, dtype=torch.float64)
    gaussian = torch.distributions.Independent(torch.distributions.Normal(truth.centres.double(), 0.5), 1)
    mixture = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(torch.ones(2).double()), gaussian)
    assert torch.allclose(truth.log_density(x), mixture.log_prob(x), rtol=1e-12)
    assert truth.log_density(x).dtype == torch.float64


@pytest.mark.parametrize("name", TOYS)
def test_density_of_samples_gives_the_entropy(name: str) -> None:
    splits = toy(name)
    modes, sigma = len(splits.truth.centres), splits.truth.sigma
    entropy = math.log(modes) + 1 + math.log(2 * math.pi * sigma**2)  # of modes that do not overlap, in two dimensions
    assert -splits.truth.log_density(splits.test.x).mean().item() == pytest.approx(entropy, abs=0.02)


@pytest.mark.parametrize("name", TOYS)
def test_points_scatter_around_their_mode(name: str) -> None:
    splits = toy(name)
    for x, mode in (splits.train, splits.test):
        noise = x - splits.truth.centres[mode]
        n = len(x)
        assert noise.mean(0).abs().max() < 5 * splits.truth.sigma / math.sqrt(n)
        assert noise.std(0).numpy() == pytest.approx(splits.truth.sigma, rel=5 / math.sqrt(2 * n))
        share = mode.bincount() / n
        assert share.numpy() == pytest.approx(1 / splits.classes, abs=5 / math.sqrt(n * splits.classes))


def test_ring_has_eight_distinct_centres_on_its_circle() -> None:
    truth = datasets.load("ring", Path(), {"points": 10, "held_out": 10, "radius": 3.0}).truth
    assert truth.centres.shape == (8, 2)
    assert truth.centres.norm(dim=1).numpy() == pytest.approx(3)
    assert truth.centres[0].tolist() == [3.0, 0.0]
    neighbours = (truth.centres - truth.centres.roll(1, 0)).norm(dim=1)
    assert neighbours.numpy() == pytest.approx(2 * 3 * math.sin(math.pi / 8), rel=1e-6)


def test_grid_has_its_25_centres() -> None:
    truth = toy("grid").truth
    assert {tuple(centre) for centre in truth.centres.tolist()} == {
        (x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)
    }
    assert truth.sigma == 0.05


def test_held_out_points_depend_on_the_seed_and_not_on_the_training_size() -> None:
    few, many = (datasets.load("ring", Path(), {"points": points, "held_out": 50}) for points in (10, 1000))
    other = datasets.load("ring", Path(), {"points": 10, "held_out": 50, "seed": 1})
    assert torch.equal(few.test.x, many.test.x)
    assert not torch.equal(few.test.x, other.test.x)
    assert not torch.equal(few.train.x, few.test.x[:10])


def test_digits_are_split_by_class() -> None:
    splits = datasets.load("digits", Path(), {})
    assert splits.train.x.shape == (1198, 1, 8, 8)
    assert splits.test.x.shape == (599, 1, 8, 8)
    assert splits.levels == 17
    assert splits.train.x.unique().tolist() == list(range(17))
    train, test = splits.train.label.bincount(), splits.test.label.bincount()
    assert ((train + test) / 3 - test).abs().max() < 1
    assert (train + test).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # as UCI states them
    other = datasets.load("digits", Path(), {"seed": 1, "held_out": 0.5})
    assert len(other.test.x) == 899


def test_stacked_digits_are_digits_of_the_same_split() -> None:
    splits, source = datasets.load("stacked_digits", Path(), {}), datasets.load("digits", Path(), {})
    assert splits.train.x.shape == (50_000, 3, 8, 8)
    assert splits.test.label.shape == (10_000, 3)
    assert (splits.classes, splits.levels) == (10, 17)
    known = {}
    for part in ("train", "test"):
        singles, stacks = getattr(source, part), getattr(splits, part)
        known[part] = labelled(singles.x.flatten(0, 1), singles.label)
        assert labelled(stacks.x.flatten(0, 1), stacks.label.flatten()) == known[part]  # all of them, no other
    assert not known["train"] & known["test"]


def labelled(x: torch.Tensor, label: torch.Tensor) -> set[tuple[bytes, int]]:
    """Images and their labels, each pair once."""
    return {(image.tobytes(), digit) for image, digit in zip(x.numpy(), label.tolist(), strict=True)}


def test_channels_are_drawn_apart_and_have_a_thousand_modes() -> None:
    label = datasets.load("stacked_digits", Path(), {}).train.label
    modes = (label * torch.tensor([100, 10, 1])).sum(dim=1).bincount(minlength=1000)
    assert len(modes) == 1000
    single = datasets.load("digits", Path(), {}).train.label.bincount() / 1198
    expected = 50_000 * torch.einsum("i,j,k->ijk", single, single, single).flatten()
    chi_squared = ((modes - expected).square() / expected).sum().item()
    assert chi_squared == pytest.approx(999, abs=5 * math.sqrt(2 * 999))  # were channels alike, it would be 10^6


def test_held_out_stacks_depend_on_the_seed_and_not_on_the_training_size() -> None:
    few, many, other = (
        datasets.load("stacked_digits", Path(), {"images": images, "held_out": 50, "seed": seed}).test
        for images, seed in ((10, 0), (1000, 0), (10, 1))
    )
    assert torch.equal(few.x, many.x)
    assert torch.equal(few.label, many.label)
    assert not torch.equal(few.x, other.x)
