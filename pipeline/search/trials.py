"""Trials and finals as units of work: one on each benchmark of the rule, judged on the validation part."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline import params
from pipeline.cell import of_file, origin, settings_digest
from pipeline.digests import digest
from pipeline.search.spaces import Setting
from pipeline.search.study import Contestant, Study, Trial
from pipeline.work import plan
from pipeline.work.units import Unit, data_file, judge_file

FIRST_SEED = 10_000  # of trial 0, and so on: above every seed that may be reported
FINAL_SEED = 20_000  # the first of each finalist
TRIED = Path("pipeline/search/unit.py")  # what a process runs that tries settings


def units(study: Study) -> dict[Unit, Trial]:
    """The units of all trials, those of a contestant one after another; trained for less than is reported."""
    return {
        unit(study, benchmark, contestant, trial, study.shorter, FIRST_SEED + trial.number): trial
        for contestant in study.varied
        for trial in contestant.trials(study.trials)
        for benchmark in study.rule.benchmarks
    }


def finals(study: Study, searched: Mapping[str, Any]) -> dict[Unit, Trial]:
    """The units of the finals of those contestants whose trials are on record; trained as long as what is reported."""
    met = [(each, each.finalists(searched[each.name]["trials"])) for each in study.varied if each.name in searched]
    return at_length(study, ((contestant, two) for contestant, two in met if len(two) > 1))


def at_length(study: Study, met: Iterable[tuple[Contestant, Sequence[Trial]]]) -> dict[Unit, Trial]:
    """The units of those who meet, two of each contestant."""
    return {
        unit(study, benchmark, contestant, trial, 1, FINAL_SEED + seed): trial
        for contestant, two in met
        for trial in two
        for seed in range(study.finals)
        for benchmark in study.rule.benchmarks
    }


def unit(study: Study, benchmark: str, contestant: Contestant, trial: Trial, shorter: int, seed: int) -> Unit:
    training = params.load().benchmark(benchmark).training
    trained = replace(training, steps=max(1, training.steps // shorter), snapshots=0)
    settings = {
        "model": contestant.line.model,
        "hyperparameters": contestant.hyperparameters(trial, shorter),
        "training": asdict(trained),
        "evaluation": {"metrics": [study.metric]},
        "by": study.rule.by,
    }
    made = fingerprint(benchmark, settings)
    return Unit("trial", benchmark, contestant.name, seed, made, settings, origin=origin())


def roots(model: str, metrics: Iterable[str]) -> list[Path]:
    """The files that the code of a trial begins with."""
    return [TRIED, Path(f"models/{model}.py"), *(Path(f"benchmarks/metrics/{metric}.py") for metric in metrics)]


def fingerprint(benchmark: str, settings: Setting) -> str:
    """A digest of all that a trial's result depends on, but for its seed."""
    files = [data_file(benchmark), judge_file(benchmark)]
    state = {
        "code": digest(roots(settings["model"], settings["evaluation"]["metrics"])),
        "settings": settings_digest(settings),
        **{str(file): of_file(file) for file in files if file.exists()},
    }
    return settings_digest(state)


def cost(tried: Iterable[Unit]) -> dict[Unit, float]:
    """The seconds that each may take: of training, by what its contestant took when it was last trained, and of being
    judged, by what evaluations took on its benchmark."""
    asked = {unit: replace(unit, task="train") for unit in tried}
    seconds = plan.cost(asked.values())
    judging = {name: evaluation(name) for name in {unit.benchmark for unit in asked}}
    return {unit: seconds[trained] + judging[unit.benchmark] for unit, trained in asked.items()}


def evaluation(benchmark: str) -> float:
    """The seconds of an evaluation: at most what one of all metrics takes."""
    models = params.load().benchmark(benchmark).models
    settings: Setting = {"evaluation": {}}
    stand_ins = [Unit("evaluate", benchmark, model, 0, "", settings) for model in models]
    known = [seconds for unit in stand_ins if (seconds := plan.recorded(unit, benchmark)) is not None]
    return fmean(known) if known else plan.UNKNOWN["evaluate"]
