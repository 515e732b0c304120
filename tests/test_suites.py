"""Suites by name, and benchmarks of some of their kind's contestants."""

from pathlib import Path

import pytest
import yaml
from scoring import Command

from pipeline import check, params
from pipeline.cell import RENDERED, rendered_dir
from pipeline.tools import add

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params.load.cache_clear()


def test_a_benchmark_names_some_of_its_kinds_contestants_as_they_are_there() -> None:
    some, every = params.load().benchmark("ring_quick"), params.load().benchmark("ring")
    named = yaml.safe_load((ROOT / "benchmarks/ring_quick/benchmark.yaml").read_text())["contestants"]
    assert list(some.models) == named and len(named) == 10
    assert all(some.models[name] == every.models[name] for name in named)
    assert len(every.models) == len(params.load().board.toys.models)


@pytest.mark.parametrize("name", ["ring_quick", "digits_quick"])
def test_stages_are_those_of_the_contestants_that_are_named(name: str) -> None:
    benchmark = params.load().benchmark(name)
    stages = yaml.safe_load(add.stages(benchmark))["stages"]
    meant = {name: {"model": line.model} for name, line in benchmark.models.items()}
    assert stages["train"]["foreach"] == stages["evaluate"]["foreach"] == meant
    whole = yaml.safe_load(add.stages(params.load().benchmark("digits")))["stages"]
    assert whole["train"]["foreach"] == "${images.models}"


def test_stages_of_other_contestants_are_told(tmp_path: Path) -> None:
    benchmark = params.load().benchmark("ring_quick")
    file = tmp_path / add.stages_file("ring_quick")
    file.parent.mkdir(parents=True)
    file.write_text(add.stages(benchmark))
    check.check_stages(benchmark, tmp_path)
    fewer = dict(list(benchmark.models.items())[1:])
    with pytest.raises(ValueError, match=r"other contestants: .* was written for another; run `python -m pipeline.add"):
        check.check_stages(benchmark.model_copy(update={"models": fewer}), tmp_path)


def test_plain_dvc_repro_is_the_embedded_suite(command: Command) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert stages["report"]["foreach"] == "${suites.embedded}"
    assert command(add, "--suite", "embedded", "--targets") == (0, "\n", "")
    said = "benchmarks/ring_quick/dvc.yaml benchmarks/digits_quick/dvc.yaml\n"
    assert command(add, "--suite", "quick", "--targets") == (0, said, "")
    code, _, error = command(add, "--suite", "quicc")
    assert code == 1 and error == "error: suite: unknown suite 'quicc'; did you mean 'quick'?\n"


def test_quick_pages_lie_beside_those_that_are_kept() -> None:
    for name in params.load().of_suite("quick"):
        assert rendered_dir(name) == RENDERED / "quick" / name
        assert name not in params.load().suite
    assert rendered_dir("ring") == RENDERED / "benchmarks/ring"
