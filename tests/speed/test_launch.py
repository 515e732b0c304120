"""How much of the machine `launch` keeps at work, with units that only take time, and with the seconds on record."""

import json
import sys
import time
from pathlib import Path

import pytest
from clones import copy, edit_params, run, succeed

from pipeline.work.schedule import Outcome, Schedule
from pipeline.work.units import Unit

LAUNCH = (sys.executable, "-m", "pipeline.launch")
SECOND = '''
"""A stand-in that takes a second."""
import time
from pipeline.files import atomic_write


def train(units, advance):
    for place, unit in enumerate(units):
        time.sleep(1)
        for folder, suffix in {"weights": ".pt", "snapshots": ".npz", "curves": ".csv"}.items():
            atomic_write(unit.work / folder / f"{unit.seed}{suffix}", f"{unit.name}\\n")
        yield place, {"status": "finished", "step": unit.steps, "player": "", "seconds": 1.0, "made": unit.origin}
'''
AT_ONCE = '''
"""A stand-in that takes no time."""
from pipeline.files import file_digest


def evaluate(unit, advance):
    of = {name: file_digest(file) for name, file in unit.training_files().items()}
    return {"row": {"seed": unit.seed}, "columns": [], "of": of, "made": {}, "seconds": 0.0}
'''


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which sixty seeds are trained in a second each."""
    place = tmp_path_factory.mktemp("sixty")
    copy(place)
    (place / "pipeline/training/unit.py").write_text(SECOND)
    (place / "pipeline/evaluation/unit.py").write_text(AT_ONCE)

    def small(board: dict) -> None:
        board |= {"suites": {"embedded": ["ring"]}, "seeds": 20}
        board["toys"]["models"] = {name: {"model": "gmm"} for name in ("a", "b", "c")}

    edit_params(place, small)
    succeed(place, "dvc", "repro", "-q", "code", "check", "benchmarks/ring/dvc.yaml:prepare")
    return place


def seconds(clone: Path, jobs: int) -> float:
    """Wall time of the units alone, by what launch itself says, the evaluations included."""
    run(clone, "rm", "-rf", "artifacts/work")
    began = time.monotonic()
    succeed(clone, *LAUNCH, "--jobs", str(jobs))
    whole = time.monotonic() - began
    began = time.monotonic()
    succeed(clone, *LAUNCH, "--jobs", str(jobs))  # finds all made: what is the same for any number of jobs
    return whole - (time.monotonic() - began)


def test_sixty_seconds_of_units_in_eight_processes(sixty: Path) -> None:
    alone, beside = seconds(sixty, 1), seconds(sixty, 8)
    print(
        f"\n60 one-second units: {alone:.1f} s one after another, {beside:.1f} s in 8 processes: {alone / beside:.2f}x"
    )
    assert alone / beside >= 5


def recorded() -> dict[Unit, float]:
    """The units of the suite in an order that launch would take, with the seconds on record."""
    found: dict[Unit, float] = {}
    for file in Path("reports/scores").glob("*/*/training.json"):
        benchmark, contestant = file.parts[-3:-1]
        scores = json.loads((file.parent / "scores.json").read_text())["seeds"]
        for record, score in zip(json.loads(file.read_text())["seeds"], scores, strict=True):
            shared = {"training": {"steps": 1}, "model": None}
            training = Unit("train", benchmark, contestant, record["seed"], f"{benchmark} {contestant}", shared)
            evaluation = Unit("evaluate", benchmark, contestant, record["seed"], "e", shared, training.fingerprint)
            found[training] = record["seconds"]
            found[evaluation] = score.get("seconds", 5.0)
    chain = {unit: found[unit] for unit in found}
    for unit in found:
        if unit.task == "evaluate":
            chain[next(other for other in found if other.key == unit.after)] += found[unit]
    return dict(sorted(found.items(), key=lambda item: -chain[item[0]]))


@pytest.mark.parametrize("cores", [2, 16])
def test_the_suite_on_many_cores_by_simulation(cores: int) -> None:
    cost = recorded()
    schedule, now = Schedule(list(cost), Outcome()), 0.0
    running: dict[Unit, float] = {}
    while True:
        while len(running) < cores and (units := schedule.take(running)):
            running |= {unit: now + cost[unit] for unit in units}
        if not running:
            break
        unit = min(running, key=lambda each: running[each])
        now = running.pop(unit)
        schedule.outcome.records[unit] = {}
    trained = {unit.key: unit for unit in cost}
    chains = [cost[unit] + cost[trained[unit.after]] for unit in cost if unit.task == "evaluate"]
    bound = max(sum(cost.values()) / cores, max(chains))
    print(f"\nthe suite on {cores} cores: {now:.0f} s, at least {bound:.0f} s in any order: {now / bound:.3f}")
    assert len(schedule.outcome.records) == len(cost) and now / bound <= 1.15
