"""Known answers of the data sets that need no files: the toys' densities and geometry, the digits' split."""

import math
from pathlib import Path

import pytest
import torch

from benchmarks import datasets
from benchmarks.datasets import Splits, Truth
from benchmarks.datasets.common.splits import PARTS

TOYS = ("ring", "grid")


def toy(name: str) -> Splits:
    return datasets.load(name, Path(), {"train": 20_000, "test": 20_000})


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
    for x, mode, *_ in splits.parts:
        noise = x - splits.truth.centres[mode]
        n = len(x)
        assert noise.mean(0).abs().max() < 5 * splits.truth.sigma / math.sqrt(n)
        assert noise.std(0).numpy() == pytest.approx(splits.truth.sigma, rel=5 / math.sqrt(2 * n))
        share = mode.bincount() / n
        assert share.numpy() == pytest.approx(1 / splits.classes, abs=5 / math.sqrt(n * splits.classes))


def test_ring_has_eight_distinct_centres_on_its_circle() -> None:
    truth = datasets.load("ring", Path(), {"train": 10, "test": 10, "radius": 3.0}).truth
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


@pytest.mark.parametrize("name", [*TOYS, "stacked_digits"])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_depends_on_the_seed_and_not_on_how_large_the_others_are(name: str, part: str) -> None:
    sizes = dict.fromkeys(PARTS, 50)
    others = {other: 900 for other in PARTS if other != part}
    one, same, other = (
        getattr(datasets.load(name, Path(), sizes | change), part) for change in ({}, others, {"seed": 1})
    )
    assert torch.equal(one.x, same.x) and torch.equal(one.label, same.label)
    assert not torch.equal(one.x, other.x)


@pytest.mark.parametrize("name", [*TOYS, "digits"])
def test_no_datum_is_in_two_parts(name: str) -> None:
    parts = datasets.load(name, Path(), {}).parts
    rows = [{row.tobytes() for row in part.x.flatten(1).numpy()} for part in parts]
    assert len(set.union(*rows)) == sum(map(len, rows))
    if name == "digits":
        assert sum(len(part.x) for part in parts) == 1797


def test_digits_are_split_by_class() -> None:
    splits = datasets.load("digits", Path(), {})
    assert [tuple(part.x.shape) for part in splits.parts] == [(n, 1, 8, 8) for n in (900, 180, 717)]
    assert splits.levels == 17
    assert splits.train.x.unique().tolist() == list(range(17))
    counts = torch.stack([part.label.bincount() for part in splits.parts])  # (3, 10)
    assert counts.sum(0).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # as UCI states them
    fair = counts.sum(1, keepdim=True) * counts.sum(0) / 1797
    assert (counts - fair).abs().max() <= 1


def test_digits_parts_are_nested_and_their_test_part_stays() -> None:
    first, more, other = (
        datasets.load("digits", Path(), settings) for settings in ({}, {"train": 1000, "validation": 80}, {"seed": 1})
    )
    assert torch.equal(more.train.x[:900], first.train.x) and torch.equal(more.test.x, first.test.x)
    assert not torch.equal(other.test.x, first.test.x)


def test_parts_of_stacks_are_draws_from_one_pool_of_all_digits() -> None:
    splits, source = datasets.load("stacked_digits", Path(), {}), datasets.load("digits", Path(), {})
    assert [len(part.x) for part in splits.parts] == [50_000, 5_000, 52_000]
    assert splits.train.x.shape[1:] == (3, 8, 8) and splits.test.label.shape == (52_000, 3)
    assert (splits.classes, splits.levels) == (10, 17)
    digits = [labelled(part.x.flatten(0, 1), part.label.flatten()) for part in splits.parts]
    known = set.union(*(labelled(part.x.squeeze(1), part.label) for part in source.parts))
    assert digits[0] == digits[2] == known and digits[1] <= known
    stacks = [{row.tobytes() for row in part.x.flatten(1).numpy()} for part in splits.parts]
    # pairs of stacks over the 1797^3 there are: .8 of them is expected among two parts, and more than 8 once in 10^7
    assert sum(map(len, stacks)) - len(set.union(*stacks)) <= 8


def test_no_classifier_tells_stacks_trained_on_from_test_stacks() -> None:
    """Two draws of one distribution: the counts of each digit of the pool differ as two binomials do."""
    splits = datasets.load("stacked_digits", Path(), {})
    pool = {
        image: place for place, image in enumerate({image.tobytes() for image in splits.train.x.flatten(0, 1).numpy()})
    }
    counts = torch.stack([
        torch.tensor([pool[image.tobytes()] for image in part.x.flatten(0, 1).numpy()]).bincount(minlength=len(pool))
        for part in (splits.train, splits.test)
    ]).double()  # fmt: skip
    n = counts.sum(1, keepdim=True)
    fair = n * counts.sum(0) / n.sum()
    degrees = len(pool) - 1
    chi_squared = ((counts - fair).square() / fair).sum().item()
    assert chi_squared == pytest.approx(degrees, abs=5 * math.sqrt(2 * degrees))


def labelled(x: torch.Tensor, label: torch.Tensor) -> set[tuple[bytes, int]]:
    """Images and their labels, each pair once."""
    return {(image.tobytes(), digit) for image, digit in zip(x.numpy(), label.tolist(), strict=True)}


def test_channels_are_drawn_apart_and_have_a_thousand_modes() -> None:
    label = datasets.load("stacked_digits", Path(), {}).train.label
    modes = (label * torch.tensor([100, 10, 1])).sum(dim=1).bincount(minlength=1000)
    assert len(modes) == 1000
    single = torch.cat([part.label for part in datasets.load("digits", Path(), {}).parts]).bincount() / 1797
    expected = 50_000 * torch.einsum("i,j,k->ijk", single, single, single).flatten()
    chi_squared = ((modes - expected).square() / expected).sum().item()
    assert chi_squared == pytest.approx(999, abs=5 * math.sqrt(2 * 999))  # were channels alike, it would be 10^6
