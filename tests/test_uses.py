"""Damage, fillings and walks of models whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made import levels, points
from torch import Generator, Tensor, nn

import models
from benchmarks.datasets import Split
from benchmarks.metrics.inpainting import DAMAGE, DRAWS, IMAGES
from models.common.protocol import Spec
from pipeline.cell import Cell
from pipeline.data import Data
from pipeline.evaluation import uses
from pipeline.evaluation.sampling import packed
from pipeline.tools import export
from reports.samples import read_fills, read_walks

KINDS = list(DAMAGE)


def data(n: int = 120, channels: int = 1, seed: int = 0) -> Data:
    x = levels(n, seed, channels, top=17)
    return Data(Split(x), Split(x), Split(x), levels=17)


def plane(n: int = 4000, dims: int = 2) -> Data:
    x = points(n, 0, dims)
    return Data(Split(x), Split(x), Split(x))


def chance() -> Generator:
    return torch.Generator().manual_seed(0)


class Coder(nn.Module):
    """A datum is its own code, times two."""

    def encode(self, x: Tensor) -> Tensor:
        return 2 * x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return (z / 2).unflatten(1, (-1, 8, 8)) if z.shape[1] % 64 == 0 else z / 2

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Painter(nn.Module):
    """Fills holes with one value, but for masks that leave the first pixel out."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        if not mask[:, 0, 0, 0].all():
            raise ValueError("mask hides the first pixel of an image: choose another")
        return torch.where(mask, x, self.value)


def test_damage_depends_on_the_benchmark_alone() -> None:
    one, same, other = (uses.damaged(name, data()) for name in ("digits", "digits", "mnist"))
    assert all(map(torch.equal, one, same))
    assert (one.hidden[2:] != other.hidden[2:]).any()
    assert len(one.whole) == IMAGES and one.hidden.shape == (4, IMAGES, 1, 8, 8)
    unlike = uses.damaged("digits", data(seed=1))
    assert torch.equal(one.hidden, unlike.hidden)
    hidden = one.hidden
    assert torch.equal(one.shown[hidden], unlike.shown[hidden]), "what stands in a hole tells nothing of the image"


def test_each_kind_hides_what_its_note_says() -> None:
    damage = uses.damaged("digits", data(channels=3))
    hidden = dict(zip(KINDS, damage.hidden.squeeze(2), strict=True))
    assert hidden["centre"].sum(1).tolist() == [[0, 0, 4, 4, 4, 4, 0, 0]] * IMAGES
    assert hidden["lower_half"].flatten(1).int().tolist() == [[0] * 32 + [1] * 32] * IMAGES
    for image in hidden["rectangle"]:
        rows, columns = image.any(1), image.any(0)
        assert torch.equal(image, rows[:, None] & columns) and 4 <= image.sum() <= 36
        for side in (rows, columns):
            assert side.int().diff().abs().sum() <= 2 and 2 <= side.sum() <= 6
    assert len({tuple(image.flatten().tolist()) for image in hidden["rectangle"]}) > IMAGES / 2
    assert abs(hidden["salt_pepper"].double().mean() - 0.3) < 4 * (0.21 / (64 * IMAGES)) ** 0.5
    for kind, shown, holes in zip(KINDS, damage.shown, damage.hidden, strict=True):
        there = ~holes.expand_as(shown)
        assert torch.equal(shown[there], damage.whole[there])
        values = shown[~there]
        assert set(values.tolist()) == ({-1.0, 1.0} if kind == "salt_pepper" else {0.0})
        assert kind != "salt_pepper" or abs(values.mean()) < 0.1


def test_a_model_fills_in_its_own_way_where_it_can() -> None:
    damage = uses.damaged("digits", data())
    filled = uses.fills(Painter(0.25), damage, chance())
    assert filled.shape == (4, DRAWS, IMAGES, 1, 8, 8)
    fits = [bool(~holes[:, 0, 0, 0].any()) for holes in damage.hidden]
    assert fits == [True, True, False, False]
    assert (
        filled.isnan().flatten(1).any(1).tolist()
        == filled.isnan().flatten(1).all(1).tolist()
        == [not each for each in fits]
    )
    assert torch.equal(filled[0, 3], torch.where(damage.hidden[0], 0.25, damage.whole))


def test_a_broken_model_is_told_from_one_that_does_not_fit() -> None:
    filled = uses.fills(Painter(torch.nan), uses.damaged("digits", data()), chance())
    assert filled[:2].isinf().any() and not filled[:2].isnan().any()


def test_any_other_error_is_not_hidden() -> None:
    class Failing(Painter):
        def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
            raise ValueError("latent = 0: must be 1 or more")

    with pytest.raises(ValueError, match="latent = 0"):
        uses.fills(Failing(0), uses.damaged("digits", data()), chance())


def test_what_encodes_and_decodes_fills_by_turns() -> None:
    damage = uses.damaged("digits", data())
    filled = uses.fills(Coder(), damage, chance())
    there = ~damage.hidden[:, None].expand_as(filled)
    assert torch.equal(filled[there], damage.whole.expand_as(filled)[there])
    assert (filled[:, 0] != filled[:, 1]).any(), "each draw starts from noise of its own"
    assert torch.equal(filled, uses.fills(Coder(), damage, chance()))
    assert uses.fills(nn.Identity(), damage, chance()) is None


def test_an_autoregressive_model_fills_the_lower_half_only() -> None:
    model = models.load("pixelcnn")(Spec((1, 8, 8), levels=17), width=8, depth=1).eval()
    with torch.no_grad():
        filled = uses.fills(model, uses.damaged("digits", data(2)), chance())
    assert [kind for kind, found in zip(KINDS, filled, strict=True) if not found.isnan().any()] == ["lower_half"]


def test_points_have_no_holes() -> None:
    assert uses.inpainted(Coder(), "ring", plane(), chance()) == {}


def test_walks_are_straight_and_end_at_reconstructions() -> None:
    resident = data(channels=4)
    found = uses.walks(Coder(), resident)
    x = resident.test.x
    assert set(found) == {"ends", "walk"}
    assert torch.equal(found["ends"], torch.stack([x[:5], x[5:10]], 1))
    assert torch.equal(found["walk"][:, [0, -1]], found["ends"])
    share = torch.linspace(0, 1, uses.STEPS).view(-1, 1, 1, 1)
    expected = x[:5, None] + share * (x[5:10, None].double() - x[:5, None].double())
    assert (found["walk"].double() - expected).abs().max() <= 0.5 + 1e-4


def test_a_grid_of_codes_of_two_numbers_is_the_priors_where_codes_are_standard_normal() -> None:
    lines = uses.walks(Coder(), plane(100_000))["lines"]
    assert lines.shape == (2, uses.LINES, uses.POINTS, 2)
    normal = torch.special.ndtri(torch.linspace(uses.REACH, 1 - uses.REACH, uses.LINES))
    assert (lines[0, :, :, 1] - normal[:, None]).abs().max() < 0.1, "along the first number the second stands still"
    assert (lines[1, :, :, 0] - normal[:, None]).abs().max() < 0.1
    assert (lines[0, 0, 1:, 0] > lines[0, 0, :-1, 0]).all()
    codes = uses.cells(3 * points(100_000, 0) + torch.tensor([10.0, -10.0]))
    assert (codes[:, 1:, 0] > codes[:, :-1, 0]).all() and (codes[1:, :, 1] < codes[:-1, :, 1]).all()
    assert (codes.flatten(0, 1).mean(0) - torch.tensor([10.0, -10.0])).abs().max() < 0.05


def test_a_grid_is_decoded_to_images() -> None:
    class Shade(Coder):
        def encode(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :2]

        def decode(self, z: Tensor) -> Tensor:
            return z[:, :1, None, None].tanh().expand(-1, 1, 8, 8)

    grid = uses.walks(Shade(), data())["grid"]
    assert grid.shape == (uses.CELLS, uses.CELLS, 1, 8, 8) and grid.dtype == torch.uint8
    assert torch.equal(grid, grid[:1].expand_as(grid)) and (grid[0, -1] > grid[0, 0]).all()


def test_no_walks_without_codes_or_a_plane_to_draw_in() -> None:
    assert uses.walks(Painter(0), data()) == {}
    assert uses.walks(Coder(), plane(dims=3)) == {}


@pytest.mark.parametrize("name", ["vae", "ae", "bigan"])
def test_models_that_encode_have_fillings_and_walks(name: str) -> None:
    model = models.load(name)(Spec((1, 8, 8), 10, 17), latent=2, width=16).eval()
    with torch.no_grad():
        found = uses.inpainted(model, "digits", data(20), chance())
        walked = uses.walks(model, data(20))
    assert found["filled"].isfinite().all() and set(walked) == {"ends", "walk", "grid"}


def test_what_pictures_show_lies_beside_the_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    resident, cell = data(), Cell("digits", "painter")
    evidence = uses.inpainted(Painter(0.25), "digits", resident, chance())
    uses.save(cell.samples, 0, resident, evidence | {"walks": uses.walks(Coder(), resident)})
    (cell.samples / "0.npz").write_bytes(packed(x=resident.test.x, levels=17))
    fills, walks = read_fills(cell.samples / "fills/0.npz", ""), read_walks(cell.samples / "walks/0.npz", "")
    assert fills.damage == ("Centre", "Lower half", "Rectangle", "Salt and pepper") and fills.levels == 17
    assert fills.fits.tolist() == [True, True, False, False]
    np.testing.assert_array_equal(fills.whole, resident.test.x[: uses.SHOWN])
    hole = evidence["hidden"][0, : uses.SHOWN].numpy()
    assert set(fills.mean[0][hole]) == set(fills.draw[0][hole]) == {10} and set(fills.damaged[0][hole]) == {8}
    assert walks.walk.shape == (5, uses.STEPS, 1, 8, 8) and walks.grid is None and walks.lines is None
    assert torch.equal(export.generated(cell, 0)[0], resident.test.x), "other readers of the folder see samples only"


def test_nothing_is_written_for_a_model_without_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uses.save(Cell("ring", "gan").samples, 0, plane(), {"walks": {}})
    assert not list(tmp_path.iterdir())
    assert read_fills(tmp_path / "0.npz", "") is None and read_walks(tmp_path / "0.npz", "") is None
