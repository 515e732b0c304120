"""Evidence of translators that are known: the true map, one that hides what it read, one that is random, one broken."""

from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

from benchmarks import datasets, metrics
from benchmarks.datasets.common.translation import hues
from benchmarks.datasets.rotated_ring import SHIFT, rotation
from pipeline import check, params
from pipeline.data import Data
from pipeline.evaluation import evidence, translation
from pipeline.evaluation.sampling import halves
from pipeline.evaluation.view import View
from pipeline.training.stream import drawn_from
from reports.samples import read_translations

ROOT = Path(__file__).parents[1]
WANTED = {"draws", "back", "returned", "returned_after_noise"}


def data(name: str) -> Data:
    return Data(*datasets.load(name, Path(), {}))


def chance(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def found_of(model: nn.Module, resident: Data, half: Tensor) -> dict[str, object]:
    return evidence.of_model(model, "made_up", resident, half, chance(), WANTED)


class Translator(nn.Module):
    given = "partner"


class Turn(Translator):
    """The true map of the ring."""

    turn, shift = rotation(torch.pi / 6).float(), torch.tensor(SHIFT)

    def sample(self, n: int, given: Tensor, rng: Generator) -> Tensor:
        return given @ self.turn.T + self.shift

    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        return (x - self.shift) @ self.turn


class Hiding(Translator):
    """Translates all to black and writes what it read where none sees it: in a thousandth of a grey level."""

    def sample(self, n: int, given: Tensor, rng: Generator) -> Tensor:
        return -1 + (given + 1) / 16_000

    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        return ((x + 1) * 16_000 - 1).clamp(-1, 1)


class Painter(Translator):
    """The true law of colours."""

    def sample(self, n: int, given: Tensor, rng: Generator) -> Tensor:
        return (given + 1) * hues(n, rng)[..., None, None] - 1


class Broken(Turn):
    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        return x * torch.nan


def test_the_true_map_is_right_there_and_back() -> None:
    resident = data("rotated_ring")
    half = halves(resident, "rotated_ring", 0, 5000)
    found = found_of(Turn(), resident, half.oracle)
    assert torch.equal(found["source"], resident.test.partner[half.oracle])
    assert torch.equal(found["target"], resident.test.x[half.oracle])
    assert torch.equal(found["source_labels"], resident.test.label[half.oracle])
    found |= View(Path("no judge"), resident, half.reference).of_benchmark(set())
    assert torch.equal(found["partner"], resident.test.partner[half.reference])
    values = metrics.evaluate(["transport_map", "mode_map", "cycle", "translation", "modes"], found)
    assert values["l2_uvp"] < 1e-12 and values["modes_right"] == values["modes_right_permuted"] == 1
    assert values["cycle_mae"] < 1e-6 and values["partner_mae"] < 1e-6 and values["reverse_kl_all"] < 0.003
    step = translation.STEP * resident.test.x.std(0).square().mean().sqrt().item() * (2 / torch.pi) ** 0.5
    assert values["cycle_noise_mae"] == pytest.approx(step, rel=0.05), "turned noise is as large"
    assert not found["broken"]


def test_what_is_hidden_in_a_translation_is_lost_in_noise() -> None:
    resident = data("digits_inverted")
    found = found_of(Hiding(), resident, torch.arange(200))
    values = metrics.evaluate(["cycle"], found)
    assert (found["fake"] == -1).all(), "nothing is seen of it"
    assert values["cycle_mae"] < 0.01 and values["cycle_noise_mae"] > 0.3


def test_noise_is_one_grey_level() -> None:
    resident = data("digits_turned")
    middle = torch.zeros(500, 1, 8, 8)
    moved = translation.disturbed(resident, middle, chance())
    assert moved.std().item() == pytest.approx(2 / 16, rel=0.02) and moved.mean().item() == pytest.approx(0, abs=0.003)
    assert translation.disturbed(resident, middle + 1, chance()).max() == 1


def test_draws_are_as_diverse_as_the_law_they_come_from() -> None:
    resident = data("digits_colour")
    half = halves(resident, "digits_colour", 0, 250)
    found = found_of(Painter(), resident, half.oracle)
    assert found["draws"].shape == (translation.DRAWS, 250, 3, 8, 8) and found["truths"].shape == (2, 250, 3, 8, 8)
    assert torch.equal(found["truths"][1], resident.as_input(resident.test.again[half.oracle]))
    values = metrics.evaluate(["one_to_many", "cycle"], found)
    assert values["diversity_share"] == pytest.approx(1, abs=0.1) and values["saturation"] == pytest.approx(1, abs=0.05)
    assert values["cycle_mae"] is None, "it knows no way back"


@pytest.mark.parametrize("name", ["rotated_ring", "digits_colour"])
def test_the_oracle_is_the_true_map(name: str) -> None:
    resident = data(name)
    half = halves(resident, name, 0, 250)
    found = evidence.of_oracle(resident, half.oracle, chance())
    assert torch.equal(found["fake"], resident.as_input(resident.test.x[half.oracle]))
    chosen = ["translation", "cycle", "one_to_many", "mode_map", "transport_map"]
    seen = View(Path("no judge"), resident, half.reference).of_benchmark(set())
    values = metrics.evaluate(chosen, found | seen)
    assert values["partner_mae"] == values["cycle_mae"] == 0
    assert values["diversity_share"] == (1 if name == "digits_colour" else None)
    assert values["modes_right"] == (1 if name == "rotated_ring" else None)


def test_without_pairs_no_truth_is_claimed() -> None:
    resident = data("moons")
    half = halves(resident, "moons", 0, 1000)
    found = found_of(Turn(), resident, half.oracle)
    assert found["target"] is found["source_labels"] is None and "truths" not in found
    oracle = evidence.of_oracle(resident, half.oracle, chance())
    assert torch.equal(oracle["fake"], resident.test.x[half.oracle]) and "returned" not in oracle


def test_a_way_back_to_no_number_has_diverged() -> None:
    assert found_of(Broken(), data("rotated_ring"), torch.arange(100))["broken"]


def test_only_what_is_wanted_is_made() -> None:
    resident = data("rotated_ring")
    found = evidence.of_model(Turn(), "made_up", resident, torch.arange(100), chance(), set())
    assert "source" in found and not WANTED & found.keys()


@pytest.mark.parametrize(("name", "model"), [("rotated_ring", Turn()), ("digits_inverted", Hiding())])
def test_pictures_get_the_first_translations(name: str, model: nn.Module, tmp_path: Path) -> None:
    resident = data(name)
    translation.save(tmp_path, 3, resident, found_of(model, resident, torch.arange(400)))
    found = read_translations(tmp_path / "translations/3.npz", "remedy")
    n = 12 if resident.levels else 400
    assert (found.source == resident.test.partner[:n].numpy()).all() and len(found.translation) == n
    assert (found.truth == resident.test.x[:n].numpy()).all() and found.returned.shape == found.source.shape
    assert (found.draw is None) == (resident.levels == 0)
    translation.save(tmp_path / "none", 0, resident, {})
    assert not (tmp_path / "none").exists()


def test_a_model_that_learns_from_pairs_is_refused_where_there_are_none() -> None:
    with pytest.raises(ValueError, match="learns from pairs, and the data have none"):
        drawn_from(data("moons"), pairs=True)
    project = params.Params(ROOT)
    moons = project.benchmark("moons")
    wrong = moons.model_copy(update={"kind": "point_pairs"})
    with pytest.raises(ValueError) as error:
        check.check_pairs(wrong, ["regression"])
    assert str(error.value) == (
        "benchmarks/moons/benchmark.yaml: dataset = 'moons': its data have no true partners, and "
        "point_pairs.models.regression in params.yaml learns from pairs; choose a kind without such models, or data "
        "with pairs"
    )
    check.check_pairs(moons, [])
    check.check_pairs(project.benchmark("rotated_ring"), ["regression"])
