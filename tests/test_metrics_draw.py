"""Drawing a part of a set, and cells."""

import pytest
import torch

from benchmarks.metrics.common.cells import Cells
from benchmarks.metrics.common.draw import draw


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(500, 2), (500, 1, 4, 4)])
def test_the_same_places_whatever_stands_there(shape: tuple[int, ...]) -> None:
    x, other = (torch.randn(shape, generator=rng(seed)) for seed in range(2))
    assert torch.equal(draw(x, 50), draw(other.double(), 50))
    assert torch.equal(draw(x, 50), draw(x, 100)[:50])
    assert not torch.equal(draw(x, 50), torch.arange(50))


def test_every_sample_at_most_once_and_all_where_there_are_fewer() -> None:
    x = torch.randn(100, 3, generator=rng())
    assert len(draw(x, 30).unique()) == 30
    assert sorted(draw(x, 200).tolist()) == list(range(100))


def test_repeated_samples_are_drawn_as_often_as_they_occur() -> None:
    x = torch.cat([torch.zeros(9000, 2), torch.ones(1000, 2)])
    share = x[draw(x, 2000)].mean().item()
    assert share == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / 2000) ** 0.5)


def test_the_part_stands_for_the_whole() -> None:
    x = torch.randn(20_000, 1, generator=rng()).sort(dim=0).values
    part = x[draw(x, 1000)]
    assert part.mean().item() == pytest.approx(0, abs=4 / 1000**0.5)
    assert part.std().item() == pytest.approx(1, abs=4 / 2000**0.5)


def test_cells_are_those_of_the_clusters_in_any_order() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    label = torch.arange(300) % 3
    x = centres[label] + 0.1 * torch.randn(300, 2, generator=rng())
    cells = Cells(x, 3)
    assert len({(int(a), int(b)) for a, b in zip(label, cells.of(x), strict=True)}) == 3
    assert torch.equal(cells.of(x), Cells(x[torch.randperm(300, generator=rng(1))], 3).of(x))


def test_more_cells_than_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="5 cells cannot be fitted to 4 training samples: give 5 or more"):
        Cells(torch.randn(4, 2), 5)
