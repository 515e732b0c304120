"""The search of settings: spaces as wide for each, trials that hang on their numbers alone, one rule, one record."""

import json
import os
import shutil
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from scoring import Command
from torch import Generator, Tensor

import models
from benchmarks.datasets import Split
from pipeline import params
from pipeline.data import Data, save
from pipeline.search import __main__ as search
from pipeline.search import record, spaces, trials, whose
from pipeline.search.study import Contestant, Study, Trial, file_of, points
from pipeline.search.unit import judged
from pipeline.work import plan
from pipeline.work.units import Unit, data_file
from reports.trials import chosen_on, mean, read

ROOT = Path(__file__).parents[1]
LINES = {name: kind.models for name, kind in params.Params(ROOT).stated.items()}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(ROOT)
    params.load.cache_clear()
    yield
    params.load.cache_clear()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's parameters and folders of names, in a place of their own: links, but for what is edited."""
    for folder in ("models", "benchmarks", "pipeline"):
        no_cache = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=no_cache, copy_function=os.symlink)
    board = yaml.safe_load((ROOT / "params.yaml").read_text())
    for kind in ("toys", "images"):  # as if nothing had been searched yet
        board[kind].pop("settings", None)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(board, sort_keys=False))
    (tmp_path / spaces.FOUND).unlink()
    (tmp_path / spaces.FOUND).write_text("# Written by `python -m pipeline.search KIND`: nothing yet\n{}\n")
    monkeypatch.chdir(tmp_path)


def edited(file: str | Path, *path: str, value: Any) -> None:
    """Set one value of a file of the project; ``path`` leads to it."""
    content = yaml.safe_load(Path(file).read_text()) or {}
    place = content
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    Path(file).unlink()
    Path(file).write_text(yaml.safe_dump(content))
    params.load.cache_clear()


def contestant(name: str, kind: str = "toys") -> Contestant:
    return next(each for each in Study(kind).contestants if each.name == name)


@pytest.mark.parametrize("name", models.names())
def test_every_model_has_a_space_or_says_why_not(name: str) -> None:
    space = spaces.space_of(name)
    taken = models.hyperparameters(models.load(name))
    if isinstance(space, str):
        assert "lr" not in taken and len(space.split()) > 3
        return
    assert set(space) <= set(taken) and all(type(taken[setting].default) in (int, float) for setting in space)
    assert {setting for setting in taken if setting == "lr" or setting.endswith("_lr")} <= set(space)
    assert sum(word != "steps" and not setting.endswith("lr") for setting, word in space.items()) <= 2


@pytest.mark.parametrize("kind", spaces.rules(ROOT).kinds)
def test_ranges_are_a_decade_either_way_of_the_papers_value(kind: str) -> None:
    contestants = Study(kind).contestants
    assert [each.name for each in contestants] == [name for name, line in LINES[kind].items() if not line.of]
    for each in contestants:
        assert bool(each.searched) != bool(each.why_not)
        for setting, (low, high, logarithmic, whole) in each.ranges.items():
            value = each.paper[setting]
            if whole:
                assert (low, high) == (-(-value // 10), 10 * value)
            elif logarithmic:
                assert high / value == pytest.approx(10) and value / low == pytest.approx(10)
            else:  # a share
                assert value == 0 <= low < high <= 1


def test_a_paper_may_have_other_values_for_a_kind() -> None:
    found = contestant("wgan_gp")
    assert found.paper == {"lr": 1e-4, "penalty": 0.1} and found.before == {"lr": 1e-3, "penalty": 0.1}
    assert contestant("wgan_gp", "images").paper == {"lr": 1e-4, "penalty": 10.0}
    assert "latent" not in contestant("vae_gan").searched and "latent" in contestant("vae_gan", "pictures").searched


@pytest.mark.usefixtures("project")
def test_the_first_trials_are_the_papers_and_those_of_params() -> None:
    edited("params.yaml", "toys", "models", "wgan_gp", "lr", value=0.001)
    two, one = contestant("wgan_gp").trials(8), contestant("gan").trials(8)
    assert [trial.origin for trial in two] == ["paper", "house", *["drawn"] * 6]
    assert [trial.origin for trial in one] == ["paper", *["drawn"] * 7]  # params.yaml has the paper's rate
    assert [trial.number for trial in two] == [trial.number for trial in one] == list(range(8))


def test_trials_hang_on_their_numbers_alone() -> None:
    few, many = contestant("wgan_gp").trials(5), contestant("wgan_gp").trials(12)
    assert few == many[:5] == contestant("wgan_gp").trials(5)
    places = []
    for name in ("gan", "lsgan"):
        paper, *_, last = contestant(name).trials(8)
        places.append(last.settings["lr"] / paper.settings["lr"])
    assert places[0] == pytest.approx(places[1], rel=0.01)  # of three digits


def test_points_fill_a_range_evenly() -> None:
    found = points({"lr": contestant("gan").ranges["lr"]}, {"lr": 2e-4}, 8)
    eighths = sorted(int(8 * log(each["lr"] / 2e-5) / log(100)) for each in found)
    assert eighths == list(range(8))


def test_whole_numbers_stay_whole() -> None:
    drawn = [trial.settings["components"] for trial in contestant("gmm").trials(8)]
    assert drawn[0] == 32 and all(type(each) is int and 4 <= each <= 320 for each in drawn) and len(set(drawn)) > 5


def test_what_is_counted_in_steps_is_as_much_shorter() -> None:
    flow, beta = contestant("rectified_flow"), contestant("beta_vae")
    assert flow.hyperparameters(flow.trials(2)[0], 3)["first"] == round(flow.line.settings["first"] / 3)
    shorter = round(beta.line.settings["annealing"] / 3)
    assert beta.hyperparameters(beta.trials(2)[0], 3) == {**beta.line.settings, "annealing": shorter, "lr": 1e-3}


@pytest.mark.usefixtures("project")
def test_units_have_seeds_of_their_own_a_third_of_the_steps_and_no_snapshots() -> None:
    study = Study("toys", 3, ["gan", "wgan_gp"])
    found = trials.units(study)
    assert [unit.seed for unit in found] == [10_000, 10_000, 10_001, 10_001, 10_002, 10_002] * 2
    assert {unit.benchmark for unit in found} == {"ring", "grid"} and {unit.task for unit in found} == {"trial"}
    third = params.load().benchmark("ring").training.steps // 3
    assert all(unit.steps == third and not unit.settings["training"]["snapshots"] for unit in found)
    assert len({(unit.work, unit.seed) for unit in found}) == 12
    assert {unit.seed for unit in found}.isdisjoint(range(params.load().board.seeds))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("file", "path", "value", "said"),
    [
        (spaces.SPACES, ("gan",), {}, "models/spaces.yaml: gan = {}: the space is empty"),
        (spaces.SPACES, ("gan",), {"lr": [0.1, 0.001]}, "models/spaces.yaml: gan.lr = [0.1, 0.001]: reversed"),
        (spaces.SPACES, ("gan",), {"lr": [0.1, 0.1]}, "models/spaces.yaml: gan.lr = [0.1, 0.1]: empty"),
        (spaces.SPACES, ("gan",), {"lr": [0.1, 0.2]}, "gan.lr = [0.1, 0.2]: without the paper's 0.0002"),
        (spaces.SPACES, ("gan",), {"lr": "wide"}, "gan = {'lr': 'wide'}: a space is {setting: decade}"),
        (spaces.SPACES, ("gan",), {"lr": [float("nan"), 1]}, "gan.lr = [nan, 1.0]: reversed"),
        (spaces.SPACES, ("gan",), {"rate": "decade"}, "gan: unknown setting 'rate'; did you mean 'latent'?"),
        (spaces.SPACES, ("gan",), {"loss": "decade"}, "gan.loss = 'non_saturating': is no number"),
        (spaces.SPACES, ("gan",), {"smoothing": "decade"}, "gan.smoothing = decade: the paper's value is 0.0"),
        (spaces.SPACES, ("gan",), None, "gan = None: a space is {setting: decade}"),
        (spaces.RULES, ("trials",), 0, "search.yaml: trials = 0: input should be greater than or equal to 2"),
        (spaces.RULES, ("finals",), 0, "search.yaml: finals = 0: input should be greater than or equal to 1"),
        (spaces.RULES, ("kinds", "toys", "benchmarks"), ["rong"], "kinds.toys.benchmarks: unknown benchmark 'rong'"),
        (spaces.RULES, ("kinds", "toys", "benchmarks"), ["digits"], "benchmarks: digits is of kind images, not toys"),
        (spaces.RULES, ("kinds", "toys", "by"), "w7", "kinds.toys.by: unknown column 'w7'"),
        (spaces.RULES, ("kinds", "toys", "by"), "modes", "kinds.toys.by = 'modes': lower is not better there"),
        (spaces.RULES, ("kinds", "toys", "notes"), {"gann": "why"}, "unknown contestant 'gann'; did you mean 'gan'"),
        (spaces.RULES, ("kinds", "toys", "paper"), {"gann": {}}, "paper: unknown model 'gann'; did you mean 'gan'"),
    ],
)  # fmt: skip
def test_wrong_files_are_told_in_a_line(command: Command, file: Path, path: tuple, value: Any, said: str) -> None:
    edited(file, *path, value=value)
    code, out, error = command(search, "toys", "--dry-run")
    assert (code, out) == (1, "") and said in error and error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("toyz",), "KIND: unknown kind 'toyz'; did you mean 'toys'?"),
        (("published",), "benchmarks/search.yaml: nothing is searched: unknown kind with a rule 'published'; known: "),
        (("toys", "--trials", "0"), "--trials = '0': a whole number from 1 is wanted"),
        (("toys", "--trials", "1"), "--trials 1: the paper's settings and the present ones are two already"),
        (("toys", "--only", "ga"), "--only: unknown contestant 'ga'; did you mean 'gan'?"),
        (("toys", "--jobs", "no"), "--jobs = 'no': a whole number from 1 is wanted"),
        (("binary", "--page"), "search/binary.json is missing; `python -m pipeline.search binary` makes it"),
    ],
)
def test_wrong_words_are_told_in_a_line(command: Command, arguments: tuple[str, ...], said: str) -> None:
    code, out, error = command(search, *arguments)
    assert (code, out) == (1, "") and said in error and error.count("\n") == 1


def test_a_dry_run_says_what_is_searched_and_what_it_costs(command: Command) -> None:
    code, out, error = command(search, "toys", "--dry-run", "--only", "wgan_gp,parzen", "--trials", "4")
    assert (code, error) == (0, "")
    assert "penalty in [0.01, 1], paper 0.1, before 0.1" in out and "parzen: not searched: it chooses" in out
    assert (
        "1 contestants, 4 trials each on ring and grid, 1/3 of the steps, lowest W1 on validation; then finals" in out
    )
    assert "finals of two, 2 seeds each, all steps; 16 units" in out  # 4 trials and 2 x 2 finals, on two benchmarks
    again = command(search, "toys", "--dry-run", "--only", "wgan_gp", "--finals")[1]
    assert "all steps; 8 units" in again


class Constant(torch.nn.Module):
    """Samples that are these points."""

    given = "nothing"

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.x[:n]


def unit(metric: str, by: str) -> Unit:
    return Unit("trial", "ring", "gan", 10_000, "f", {"evaluation": {"metrics": [metric]}, "by": by})


def test_a_trial_is_judged_by_the_validation_part() -> None:
    far, near = torch.tensor([[9.0, 9.0], [9.0, 9.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    resident = Data(Split(far), Split(near), Split(far))
    model = Constant(torch.tensor([[0.0, 3.0], [1.0, 3.0]]))
    assert judged(unit("transport", "w1"), model, resident) == pytest.approx(3.0)
    assert judged(unit("transport", "w1"), Constant(torch.full((2, 2), torch.nan)), resident) is None
    assert judged(unit("likelihood", "nats"), model, resident) is None  # it states no likelihood


def test_nats_are_those_of_the_validation_part() -> None:
    class Likely(Constant):
        bound, estimator = False, "exact"

        def log_prob(self, x: Tensor) -> Tensor:
            return -x.sum(1)

    resident = Data(Split(torch.zeros(3, 2)), Split(torch.tensor([[1.0, 2.0], [3.0, 6.0]])), Split(torch.zeros(3, 2)))
    assert judged(unit("likelihood", "nats"), Likely(torch.zeros(2, 2)), resident) == 6.0


def of_trials(*rows: tuple[str, float | None]) -> list[dict[str, Any]]:
    """Rows of a record: whose settings, and the value."""
    return [
        {"trial": number, "of": of, "settings": {"lr": 0.1 / (1 + number)}, "value": value, "diverged": value is None}
        for number, (of, value) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        ([("paper", 3.0), ("house", 2.0), ("drawn", 1.0), ("drawn", 1.5)], [2, 1]),  # the best against params.yaml's
        ([("paper", 3.0), ("drawn", 2.0), ("drawn", 1.0)], [2, 0]),  # which are the paper's
        ([("paper", 3.0), ("house", 1.0), ("drawn", 2.0)], [1, 2]),  # they are the best: against the second best
        ([("paper", 1.0), ("house", 3.0), ("drawn", 2.0)], [0, 1]),
        ([("paper", 3.0), ("house", None), ("drawn", 1.0), ("drawn", 2.0)], [2, 3]),  # they diverged
        ([("paper", None), ("drawn", 1.0), ("drawn", None)], [1]),
        ([("paper", None), ("drawn", None)], []),
    ],
)
def test_who_meets_in_a_final(rows: list[tuple[str, float | None]], numbers: list[int]) -> None:
    met = contestant("gan").finalists(of_trials(*rows))
    assert [trial.number for trial in met] == numbers
    assert [trial.settings["lr"] for trial in met] == [0.1 / (1 + number) for number in numbers]


def test_who_meets_in_a_final_has_other_settings() -> None:
    rows = of_trials(("paper", 3.0), ("house", 1.5), ("drawn", 1.0), ("drawn", 2.0))
    rows[1]["settings"] = rows[2]["settings"]  # a record of when points were drawn anew that had been found before
    assert [trial.number for trial in contestant("gan").finalists(rows)] == [2, 3]


@pytest.mark.usefixtures("project")
def test_what_is_tried_already_is_not_drawn() -> None:
    drawn = contestant("gan").trials(8)[5].settings
    edited("params.yaml", "toys", "models", "gan", "lr", value=drawn["lr"])
    tried = [trial.settings["lr"] for trial in contestant("gan").trials(8)]
    assert tried[1] == drawn["lr"] and len(set(tried)) == 8


@pytest.mark.usefixtures("project")
def test_finals_have_all_steps_and_the_same_new_seeds() -> None:
    study = Study("toys", 3, ["beta_vae", "gan", "parzen"])
    searched = {
        "beta_vae": {"trials": of_trials(("paper", 3.0), ("drawn", 1.0))},
        "gan": {"trials": of_trials(("paper", 3.0), ("drawn", None))},  # nothing to decide
    }
    found = trials.finals(study, searched)
    assert {unit.contestant for unit in found} == {"beta_vae"} and len(found) == 8
    assert [unit.seed for unit in found] == [20_000, 20_000, 20_001, 20_001] * 2
    steps, line = params.load().board.toys.training.steps, params.load().stated["toys"].models["beta_vae"].settings
    assert all(unit.steps == steps for unit in found)
    assert [trial.number for trial in found.values()] == [1] * 4 + [0] * 4
    assert {unit.settings["hyperparameters"]["annealing"] for unit in found} == {line["annealing"]}  # not a third of it


def made(
    study: Study, values: dict[tuple, float | None], tried_: dict[Unit, Trial] | None = None
) -> dict[Unit, dict[str, Any]]:
    """Records of units, by contestant, trial and benchmark, of finals by seed too; not named ones have the value 9."""
    found = {}
    for tried, trial in (trials.units(study) if tried_ is None else tried_).items():
        key = (trial.contestant, trial.number, tried.benchmark)
        value = values.get((*key, tried.seed), values.get(key, 9.0))
        found[tried] = {"seed": tried.seed, "value": value, "diverged": value is None, "seconds": 2.0}
    return found


@pytest.mark.usefixtures("project")
def test_the_lowest_geometric_mean_is_found_and_written_down() -> None:
    study = Study("toys", 3, ["gan", "wgan_gp"])
    values = {("gan", 2, "ring"): 1.0, ("gan", 2, "grid"): 4.0, ("gan", 1, "ring"): 0.5, ("gan", 1, "grid"): None}
    values |= {("wgan_gp", number, name): None for number in range(3) for name in ("ring", "grid")}
    written = record.write(study, trials.units(study), made(study, values))
    assert spaces.found_in("toys") == {}  # a final is to come
    again = read(file_of("toys"), list(study.board))
    assert again == json.loads(json.dumps(written)) and list(again["contestants"]) == ["gan", "wgan_gp"]
    second = again["contestants"]["gan"]["trials"][2]
    assert second["value"] == pytest.approx(2.0) and second["seed"] == 10_002 and second["seconds"] == 4.0
    assert again["contestants"]["gan"]["trials"][1]["value"] is None  # it diverged on one, which is the worst
    record.write_finals(study, {}, {})
    found = spaces.found_in("toys")
    assert found == {"gan": second["settings"]}  # nothing for wgan_gp: each trial diverged
    assert Path(spaces.FOUND).read_text().startswith("# Written by")


@pytest.mark.usefixtures("project")
def test_a_final_decides_between_two() -> None:
    """Of gan's trials the second is the best; in the final the paper's settings are, but for one seed."""
    study = Study("toys", 3, ["gan", "lsgan"])
    record.write(study, trials.units(study), made(study, {("gan", 2, "ring"): 1.0, ("lsgan", 2, "ring"): 1.0}))
    edited(spaces.FOUND, "toys", value={"lsgan": {"lr": 0.5}, "sngan": {"lr": 0.25}})
    finals = trials.finals(study, read(file_of("toys"), list(study.board))["contestants"])
    assert {trial.number for trial in finals.values()} == {0, 2}
    values = {("gan", 2, "ring", 20_001): None, ("gan", 0, "ring", 20_000): 1.0, ("gan", 0, "ring", 20_001): 4.0}
    runs = made(study, values, finals)
    unmade = {unit: each for unit, each in runs.items() if (unit.contestant, unit.seed) != ("lsgan", 20_001)}
    written = record.write_finals(study, finals, unmade)["contestants"]
    assert read(file_of("toys"), list(study.board))["contestants"] == json.loads(json.dumps(written))
    first, second = written["gan"]["finals"]
    assert (first["trial"], first["value"], first["diverged"]) == (2, None, True)
    assert second["trial"] == 0 and second["value"] == pytest.approx((1 * 9 * 4 * 9) ** 0.25)
    assert [each["seed"] for each in second["seeds"]] == [20_000, 20_001]
    paper = written["gan"]["paper"]
    assert written["lsgan"]["finals"] == []  # of it a seed is missing: what was found before stands
    assert spaces.found_in("toys") == {"gan": paper, "lsgan": {"lr": 0.5}}


@pytest.mark.usefixtures("project")
def test_a_benchmark_takes_what_its_own_runs_of_the_final_say() -> None:
    """The paper's settings are the better ones on the grid, and those that were drawn on both together."""
    study = Study("toys", 3, ["wgan", "gan"])
    record.write(study, trials.units(study), made(study, {("wgan", 1, "ring"): 1.0}))
    finals = trials.finals(study, read(file_of("toys"), list(study.board))["contestants"])
    values = {("wgan", 1, "ring"): 0.1, ("wgan", 0, "ring"): 2.0, ("wgan", 1, "grid"): 4.0, ("wgan", 0, "grid"): 3.0}
    written = record.write_finals(study, finals, made(study, values, finals))
    wgan = written["contestants"]["wgan"]
    assert chosen_on(wgan, "ring", distance=True) is None and chosen_on(wgan, "grid", distance=True)["trial"] == 0
    both, paper = wgan["finals"][0]["settings"], wgan["paper"]
    assert spaces.found_in("toys")["wgan"] == spaces.found_in("toys", dataset="ring")["wgan"] == both != paper
    assert spaces.found_in("toys", dataset="grid")["wgan"] == paper
    assert spaces.apart("toys") == {"grid": {"wgan": paper}}
    edited("params.yaml", "toys", "settings", value="found")
    ring, ten, grid = (params.load().benchmark(name).models for name in ("ring", "ring_quick", "grid"))
    assert both.items() <= ring["wgan"].settings.items() and paper.items() <= grid["wgan"].settings.items()
    assert ten["gan"] == ring["gan"] == grid["gan"]
    told = list(whose.lines("toys", ["wgan"]))
    assert [line.split(":")[0] for line in told] == ["wgan", "wgan on grid"]
    assert f"clip {both['clip']:g} search" in told[0] and f"clip {paper['clip']:g} paper" in told[1]


@pytest.mark.usefixtures("project")
def test_a_search_of_some_leaves_others_as_they_are_on_record() -> None:
    first = Study("toys", 3, ["gan"])
    record.write(first, trials.units(first), made(first, {("gan", 1, "ring"): 0.1}))
    second = Study("toys", 3, ["lsgan"])
    record.write(second, trials.units(second), made(second, {}))
    assert list(read(file_of("toys"), list(first.board))["contestants"]) == ["gan", "lsgan"]
    with pytest.raises(ValueError, match=r"toys.json: trials = 3 there and 4 now; search as there, or all without"):
        record.kept(Study("toys", 4, ["lsgan"]))
    del (units := trials.units(second))[next(iter(units))]
    unmade = {tried: each for tried, each in made(second, {}).items() if tried in units}
    record.write(second, trials.units(second), unmade)  # of lsgan a unit is missing
    assert list(read(file_of("toys"), list(first.board))["contestants"]) == ["gan"]


@pytest.mark.usefixtures("project")
def test_a_record_of_other_contestants_is_told_in_a_line(command: Command) -> None:
    study = Study("toys", 2, ["gan"])
    record.write(study, trials.units(study), made(study, {}))
    file = file_of("toys")
    file.write_text(file.read_text().replace('"gan": {', '"gun": {'))
    code, out, error = command(search, "toys", "--page")
    assert (code, out) == (1, "") and error.count("\n") == 1
    assert "toys.json: gun is no contestant of toys; `python -m pipeline.search toys` makes it anew" in error
    file.write_text("{}")
    assert "toys.json is damaged (KeyError: 'kind')" in command(search, "toys", "--page")[2]


def test_means_are_of_logarithms_for_distances_only() -> None:
    assert mean([1.0, 4.0], True) == pytest.approx(2.0)
    assert mean([-1.0, 4.0], False) == 1.5
    assert mean([1.0, None], True) is None and mean([1.0, None], False) is None
    assert mean([0.0], True) == pytest.approx(1e-9)


PAPERS = {"model": "wgan_gp", "paper": "wgan_gp", "latent": 3}


@pytest.mark.usefixtures("project")
def test_a_line_or_a_kind_takes_what_was_found_or_the_papers() -> None:
    house = {"latent": 2, "penalty": 0.1, "critic_steps": 1, "lr": 0.001}
    edited("params.yaml", "toys", "models", "wgan_gp", value={"model": "wgan_gp", **house})
    edited(spaces.FOUND, "toys", value={"wgan_gp": {"lr": 0.0007, "penalty": 0.3}, "gan": {"lr": 0.0009}})
    edited("params.yaml", "toys", "models", "wgan_gp_found", value={"model": "wgan_gp", "found": "wgan_gp"})
    edited("params.yaml", "toys", "models", "wgan_gp_paper", value=PAPERS)
    lines = params.load().board.toys.models
    assert lines["wgan_gp"].settings == house
    assert lines["wgan_gp_found"].settings == {**house, "penalty": 0.3, "lr": 0.0007}
    assert lines["wgan_gp_paper"].settings == {"latent": 3, "penalty": 0.1, "critic_steps": 1}  # the default rate
    assert "wgan_gp_found" not in Study("toys").board  # it is a row of another
    edited("params.yaml", "toys", "settings", value="found")
    lines = params.load().board.toys.models
    assert lines["gan"].settings == {"latent": 2, "lr": 0.0009}
    assert lines["wgan_gp"].settings == house  # what a line states stands before what was found
    assert Study("toys").board["gan"].settings["lr"] == 0.0009  # a search begins with what stands there
    edited("params.yaml", "toys", "settings", value="paper")
    assert params.load().board.toys.models["wgan_gp"].settings == {"latent": 2, "penalty": 0.1, "critic_steps": 1}
    assert Study("toys").board["wgan_gp"].settings["lr"] == 0.001


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"model": "gan", "found": "gan"}, "toys.models.row.found = 'gan': nothing was found yet; run `python -m pipe"),
        ({"model": "gan", "found": "ga"}, "toys.models.row.found: unknown line 'ga'; did you mean 'gan'?"),
        ({"model": "vae", "paper": "gan"}, "toys.models.row.paper = 'gan': is made from gan, and row from vae"),
        ({"model": "gan", "found": 3}, "toys.models.row.of = 3: input should be a valid string"),
    ],
)
def test_wrong_rows_are_told_in_a_line(line: dict[str, Any], said: str) -> None:
    edited("params.yaml", "toys", "models", "row", value=line)
    with pytest.raises(ValueError) as caught:
        params.load()
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.usefixtures("project")
def test_settings_of_a_contestant_that_is_gone_are_left_alone() -> None:
    edited(spaces.FOUND, "toys", value={"gone": {"lr": 0.1}, "gan": {"lr": 0.2}})
    edited("params.yaml", "toys", "settings", value="found")
    lines = params.load().board.toys.models
    assert lines["gan"].settings["lr"] == 0.2 and "gone" not in lines
    edited(spaces.FOUND, "toys", value=[1])
    with pytest.raises(ValueError, match=r"benchmarks/found.yaml: settings of contestants by kind are wanted"):
        params.load()


@pytest.mark.usefixtures("project")
def test_each_number_says_whose_it_is(command: Command) -> None:
    edited(spaces.FOUND, "toys", value={"wgan_gp": {"lr": 0.0007, "penalty": 0.3}})
    house = {"latent": 2, "penalty": 0.1, "critic_steps": 1, "lr": 0.001}
    edited("params.yaml", "toys", "models", "wgan_gp", value={"model": "wgan_gp", **house})
    edited("params.yaml", "toys", "models", "better", value={"model": "wgan_gp", "found": "wgan_gp"})
    code, out, error = command(search, "toys", "--settings", "--only", "wgan_gp,better")
    assert (code, error) == (0, "")
    assert "wgan_gp: critic_steps 1 house, latent 2 house, lr 0.001 house, penalty 0.1 paper, beta1 0 paper" in out
    assert "better: critic_steps 1 house, latent 2 house, lr 0.0007 search, penalty 0.3 search, beta1 0 paper" in out


@pytest.mark.usefixtures("project")
@pytest.mark.timeout(600)
def test_a_search_runs_goes_on_and_leaves_a_page(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "provide", lambda benchmarks: None)
    edited(spaces.RULES, "kinds", "toys", value={"benchmarks": ["ring"], "by": "w1"})
    training = params.load().board.toys.training.model_dump() | {"steps": 6, "snapshots": 0, "batch": 8}
    edited("params.yaml", "toys", "training", value=training)
    two = {"gan": {"model": "gan", "latent": 2, "width": 8}, "parzen": {"model": "parzen"}}
    edited("params.yaml", "toys", "models", value=two)
    x = torch.randn(64, 2, generator=Generator().manual_seed(0))
    save_points(x)
    code, out, error = command(search, "toys", "--trials", "2", "--jobs", "1")
    assert code == 0, error
    assert (
        "2 of 2 units made" in out
        and "4 of 4 units made" in out
        and Path("reports/rendered/search/toys/index.html").exists()
    )
    first = read(file_of("toys"), ["gan"])
    left = {file: file.stat().st_mtime_ns for file in Path("artifacts/work/ring/gan").rglob("*.json")}
    assert len(left) == 6 and spaces.found_in("toys").keys() == {"gan"}
    lost, *kept = sorted(left)
    lost.unlink()
    assert command(search, "toys", "--trials", "2", "--jobs", "1")[0] == 0
    assert lost.exists() and all(file.stat().st_mtime_ns == left[file] for file in kept)  # one made anew
    packed = command(search, "toys", "--trials", "2", "--finals", "--pack", "pack.tar.gz")
    assert packed[0] == 0 and not Path("pack.tar.gz").exists()  # nothing is left to make elsewhere
    again = read(file_of("toys"), ["gan"])
    assert values_of(again) == values_of(first) and again["not_searched"].keys() == {"parzen"}


def save_points(x: Tensor) -> None:
    from benchmarks.datasets.common.splits import Splits

    path = data_file("ring")
    path.parent.mkdir(parents=True)
    save(Splits(Split(x), Split(x[:16]), Split(x[16:])), path)


def values_of(found: dict[str, Any]) -> list[float]:
    return [trial["value"] for trial in found["contestants"]["gan"]["trials"]]


@pytest.mark.usefixtures("project")
def test_the_same_search_once_more_makes_the_same_trials() -> None:
    """Though what was found is now in use; `--anew` begins with that, which is then a search's and nobody's own."""
    edited("params.yaml", "toys", "models", "lsgan", "lr", value=0.001)
    first = Study("toys", 3, ["gan", "lsgan"])
    tried = trials.units(first)
    values = {("gan", 1, "ring"): 0.1, ("lsgan", 2, "ring"): 0.1}
    record.write(first, tried, made(first, values))
    finals = trials.finals(first, read(file_of("toys"), list(first.board))["contestants"])
    kept = record.write_finals(first, finals, made(first, {("gan", 1, "ring"): 1.0, ("lsgan", 2, "ring"): 1.0}, finals))
    edited("params.yaml", "toys", "models", "lsgan", value={"model": "lsgan", "latent": 2})
    edited("params.yaml", "toys", "settings", value="found")
    again = Study("toys", 3, ["gan", "lsgan"])
    assert trials.units(again) == tried
    assert record.write(again, trials.units(again), made(again, values)) == kept  # with its final
    assert record.write(again, trials.units(again), made(again, {}))["contestants"]["gan"]["finals"] == []
    moved = {each.name: each.trials(3) for each in Study("toys", 3, ["gan", "lsgan"], anew=True).varied}
    assert [trial.origin for trial in moved["gan"]] == ["paper", "found", "drawn"]
    assert moved["gan"][1].settings == spaces.found_in("toys")["gan"] != moved["gan"][0].settings


@pytest.mark.usefixtures("project")
def test_what_an_earlier_search_found_is_a_searchs() -> None:
    edited(spaces.FOUND, "toys", value={"gan": {"lr": 0.00063}})
    edited("params.yaml", "toys", "settings", value="found")
    study = Study("toys", 3, ["gan"], anew=True)
    record.write(study, trials.units(study), made(study, {("gan", 1, "ring"): 0.1}))
    finals = trials.finals(study, read(file_of("toys"), list(study.board))["contestants"])
    record.write_finals(study, finals, made(study, {("gan", 1, "ring"): 1.0}, finals))
    line = next(whose.lines("toys", ["gan"]))
    assert spaces.found_in("toys")["gan"] == {"lr": 0.00063} and "lr 0.00063 search" in line


@pytest.mark.usefixtures("project")
def test_a_benchmark_whose_runs_do_not_agree_takes_what_all_take() -> None:
    """On the grid the paper's settings have the lower mean, and one seed of the others is below them."""
    study = Study("toys", 3, ["wgan"])
    record.write(study, trials.units(study), made(study, {("wgan", 1, "ring"): 1.0}))
    finals = trials.finals(study, read(file_of("toys"), list(study.board))["contestants"])
    values = {("wgan", 1, "ring"): 0.1, ("wgan", 0, "ring"): 2.0, ("wgan", 0, "grid"): 3.0}
    values |= {("wgan", 1, "grid", 20_000): 2.0, ("wgan", 1, "grid", 20_001): 6.0}
    written = record.write_finals(study, finals, made(study, values, finals))
    assert chosen_on(written["contestants"]["wgan"], "grid", distance=True) is None and spaces.apart("toys") == {}
